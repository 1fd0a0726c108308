"""Drafts the next migration of a chain from the models; somebody reads it before it is committed."""

import importlib
import shutil
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL

from portico.db.chains import Chain, portico_chain
from portico.db.migrator import Migrator, configuration

TEMPLATE = "script.py.mako"
ENTRY = '''"""Alembic's entry: Portico brings the connection and knows which tables are ours."""

from portico.db.migrations.env import run

run()
'''


async def draft_migration(chain: Chain, message: str, others: Sequence[Chain] = ()) -> Path:
    """Compare the models with a fresh database at the newest revision and write the difference as a migration.

    `others` are the chains that run before, whose tables foreign keys lead to. What the chain's package lacks
    (`env.py`, `versions/`) is made. Returns the path of the new file.
    """
    folder = _prepared(chain)
    before = set(folder.joinpath("versions").glob("*.py"))
    scripts = ScriptDirectory.from_config(configuration(chain))
    revision = f"{len(list(scripts.walk_revisions())) + 1:04d}"

    def write(config: Config) -> None:
        config.cmd_opts = Namespace(quiet=True)
        config.attributes["batch"] = revision != "0001"
        config.set_main_option("file_template", f"{revision}_{_slug(message)}")
        command.revision(config, message=message, autogenerate=True, rev_id=revision)

    for each in (*others, chain):
        each.import_models()
    with tempfile.TemporaryDirectory() as empty:
        url = URL.create("sqlite+aiosqlite", database=str(Path(empty) / "models.db"))
        migrator = Migrator(url, [*others, chain])
        await migrator.upgrade()
        await migrator.run_on(chain, write)
    (written,) = set(folder.joinpath("versions").glob("*.py")) - before
    return written


def _prepared(chain: Chain) -> Path:
    folder = Path(str(importlib.import_module(chain.package).__file__)).parent
    versions = folder / "versions"
    versions.mkdir(exist_ok=True)
    (versions / "__init__.py").touch()
    if not (folder / "env.py").exists():
        (folder / "env.py").write_text(ENTRY, encoding="utf-8")
    if not (folder / TEMPLATE).exists():
        ours = Path(str(importlib.import_module(portico_chain().package).__file__)).parent
        shutil.copyfile(ours / TEMPLATE, folder / TEMPLATE)
    return folder


def _slug(message: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in message.lower()).split())
