"""Migration chains: one for Portico's tables and one for each feature of the team's that has its own.

Each chain has its own version table and sees only the tables of its owner. What is here needs no Alembic, so that a
server can compare the database with its release without loading it; `portico.db.migrator` runs chains.
"""

import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import String, column, inspect, select, table
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapper

from portico.db.base import TABLE_PREFIX, Base

PORTICO_CHAIN = "portico.db.migrations"
_ASSIGNED = re.compile(r"^(revision|down_revision)\b[^=]*=\s*[\"'](\w+)[\"']", re.MULTILINE)


class SchemaBehind(RuntimeError):
    """The database is not at the newest revision; `portico migrate` brings it there."""


class SchemaAhead(RuntimeError):
    """The database was migrated by a newer release than this one."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A package with `env.py` and `versions/` below its owner's `root`, and the tables that are the owner's."""

    root: str
    package: str
    version_table: str
    owns: Callable[[str], bool]

    def import_models(self) -> None:
        """Import every `models` module of the owner's package, so that the metadata is complete."""
        root = importlib.import_module(self.root)
        for module in pkgutil.walk_packages(root.__path__, f"{self.root}."):
            if module.name.endswith(".models"):
                importlib.import_module(module.name)

    def includes(self, item: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:  # noqa: FBT001
        """Tell Alembic's comparison whether a table, column or index belongs to the chain."""
        owner = name if kind == "table" else item.table.name
        return owner != self.version_table and self.owns(str(owner))


def portico_chain() -> Chain:
    """Return the chain of Portico's own tables."""
    return Chain("portico", PORTICO_CHAIN, f"{TABLE_PREFIX}alembic_version", _is_ours)


def team_chain(feature: str, package: str) -> Chain:
    """Return the chain of a team's feature; its tables are those of models below the package's parent."""
    root = package.rsplit(".", 1)[0]

    def owns(name: str) -> bool:
        modules = {mapper.class_.__module__ for mapper in Base.registry.mappers if _table_of(mapper) == name}
        return any(module == root or module.startswith(f"{root}.") for module in modules)

    return Chain(root, package, f"{feature}_alembic_version", owns)


def _is_ours(name: str) -> bool:
    return name.startswith(TABLE_PREFIX)


def _table_of(mapper: Mapper[Any]) -> str | None:
    return getattr(mapper.local_table, "name", None)


def folder_of(package: str) -> Path:
    """Return the folder of a package of migrations.

    Raises:
        RuntimeError: it has no files.
    """
    module = importlib.import_module(package)
    if module.__file__ is None:
        raise RuntimeError(f"{package} is not a package with files")
    return Path(module.__file__).parent


@cache
def _revisions(package: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the newest revisions of a chain and all of them; the files do not change while the process lives."""
    known: set[str] = set()
    parents: set[str] = set()
    for path in (folder_of(package) / "versions").glob("[!_]*.py"):
        assigned = dict(_ASSIGNED.findall(path.read_text()))
        known.add(assigned["revision"])
        parents.update(parent for name, parent in assigned.items() if name == "down_revision")
    return frozenset(known - parents), frozenset(known)


async def check_chain(connection: AsyncConnection, chain: Chain) -> None:
    """Compare one chain's revision with the newest that this release has.

    Raises:
        SchemaBehind: not migrated yet.
        SchemaAhead: migrated by a newer release.
    """
    current = await _current(connection, chain)
    heads, known = _revisions(chain.package)
    unknown = sorted(current - known)
    if unknown:
        raise SchemaAhead(f"the database is at {', '.join(unknown)}, which this release does not know")
    if current != heads:
        found = ", ".join(sorted(current)) or "nothing"
        raise SchemaBehind(f"the database is at {found}: run `portico migrate`")


async def _current(connection: AsyncConnection, chain: Chain) -> set[str]:
    if not await connection.run_sync(lambda sync: inspect(sync).has_table(chain.version_table)):
        return set()
    query = select(column("version_num", String)).select_from(table(chain.version_table))
    return set((await connection.scalars(query)).all())
