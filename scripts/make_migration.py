"""Write the next migration of Portico's chain from the models: `python scripts/make_migration.py "add widgets"`.

Compares the models with a fresh SQLite database at the newest revision; read the result before you commit it.
"""

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL

from portico.db.migrator import Migrator, portico_chain


def next_revision() -> str:
    """Return the next number, four digits."""
    scripts = ScriptDirectory.from_config(portico_chain().config())
    return f"{len(list(scripts.walk_revisions())) + 1:04d}"


async def make(message: str) -> None:
    """Write the file into the chain's `versions` folder."""
    portico_chain().import_models()
    revision = next_revision()

    def write(config: Config) -> None:
        slug = message.lower().replace(" ", "_")
        config.attributes["batch"] = revision != "0001"
        config.set_main_option("file_template", f"{revision}_{slug}")
        command.revision(config, message=message, autogenerate=True, rev_id=revision)

    with tempfile.TemporaryDirectory() as folder:
        migrator = Migrator(URL.create("sqlite+aiosqlite", database=str(Path(folder) / "models.db")))
        await migrator.upgrade()
        await migrator._run(portico_chain(), write)


if __name__ == "__main__":
    asyncio.run(make(sys.argv[1]))
    subprocess.run(
        [sys.executable, "-m", "ruff", "format", "-q", "src/portico/db/migrations/versions"], check=False
    )
