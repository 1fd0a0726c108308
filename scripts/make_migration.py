"""Write the next migration of Portico's chain from the models: `python scripts/make_migration.py "add widgets"`.

Compares the models with a fresh SQLite database at the newest revision; read the result before you commit it.
"""

import asyncio
import subprocess
import sys

from portico.db.chains import portico_chain
from portico.db.drafting import draft_migration

if __name__ == "__main__":
    path = asyncio.run(draft_migration(portico_chain(), sys.argv[1]))
    subprocess.run([sys.executable, "-m", "ruff", "format", "-q", path], check=False)
    print(path)
