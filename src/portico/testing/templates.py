"""Empty, migrated databases by the copy: each set of migration chains is run once a test process."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import anyio
from sqlalchemy import URL, make_url

from portico.db.chains import Chain
from portico.db.migrator import Migrator
from portico.testing import services


class DatabaseTemplates:
    """Makes databases for tests; `folder` holds the SQLite templates, `worker` names this test process."""

    def __init__(self, folder: Path, worker: str) -> None:
        self._folder = folder
        self._worker = worker
        self._made: dict[tuple[str, ...], str] = {}

    def sqlite(self, path: Path, chains: Sequence[Chain]) -> str:
        """Copy a migrated, empty SQLite file to `path` and return its URL."""
        key = ("sqlite", *(chain.package for chain in chains))
        if key not in self._made:
            template = self._folder / f"{len(self._made)}.db"
            _migrate(URL.create("sqlite+aiosqlite", database=str(template)), chains)
            self._made[key] = str(template)
        shutil.copyfile(self._made[key], path)
        return f"sqlite:///{path}"

    @contextmanager
    def postgres(self, chains: Sequence[Chain]) -> Iterator[str]:
        """Lend the URL of a migrated, empty PostgreSQL database.

        Its tables belong to a role that is no superuser, as which the test connects: row level security binds it, and
        the test may still make tables of its own.
        """
        owner = services.database_roles().owner
        key = ("postgresql", *(chain.package for chain in chains))
        if key not in self._made:
            template = f"portico_template_{self._worker}_{os.getpid()}_{len(self._made)}"
            made = services.as_role(services.create_database(template, owner=owner), owner)
            _migrate(make_url(made).set(drivername="postgresql+asyncpg"), chains)
            self._made[key] = template
        name = f"portico_{uuid4().hex[:16]}"
        yield services.as_role(services.create_database(name, self._made[key], owner), owner)
        services.drop_database(name)

    def close(self) -> None:
        """Drop the templates in PostgreSQL."""
        for (kind, *_), template in self._made.items():
            if kind == "postgresql":
                services.drop_database(template)


def _migrate(url: URL, chains: Sequence[Chain]) -> None:
    anyio.run(Migrator(url, chains).upgrade)
