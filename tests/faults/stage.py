"""The database and the files that a story begins with: kept once, put back before each time it is played."""

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LEASES = {
    "portico_workers": ("lease_until",),
    "portico_jobs": ("claimed_until",),
    "portico_leases": ("expires_at",),
}
"""What runs by the database's own clock: a test lets time pass there by moving it back."""


@dataclass(slots=True)
class Stage:
    """Where the deployment lives: `url` is its database, `folder` has its data directory and what is kept."""

    url: str
    folder: Path
    _tables: list[str] = field(default_factory=list)

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def _kept(self, name: str) -> Path:
        return self.folder / "kept" / name

    async def keep(self, name: str) -> None:
        """Keep database and files under a name; nobody may be connected."""
        shutil.copytree(self.data, self._kept(name) / "data", dirs_exist_ok=True)
        if self.is_sqlite:
            shutil.copyfile(self._file, self._kept(name) / "portico.db")
            return
        self._tables = await self._found_tables()
        await self._execute(_copying(self._tables, name))

    async def put_back(self, name: str) -> None:
        """Make database and files what they were when they were kept."""
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(self._kept(name) / "data", self.data)
        if not self.is_sqlite:
            await self._execute(_restoring(self._tables, name))
            return
        self._replace_file(self._kept(name) / "portico.db")

    async def settle(self) -> None:
        """Wait until the server has noticed that its client is dead, and has ended what it was doing for him."""
        if self.is_sqlite:
            return
        connection = await self._connected()
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        try:
            while await connection.fetchval(f"SELECT count(*) {others}"):  # noqa: ASYNC110 - nobody tells when a server process ends
                await asyncio.sleep(0.002)
        finally:
            await connection.close()

    async def let_leases_run_out(self) -> None:
        """Move every lease that runs by the database's clock back by an hour."""
        if self.is_sqlite:
            return
        moved = [
            f"UPDATE {table} SET {column} = {column} - interval '1 hour' WHERE {column} IS NOT NULL"
            for table, columns in LEASES.items()
            if table in self._tables
            for column in columns
        ]
        await self._execute("; ".join(moved))

    def _replace_file(self, kept: Path) -> None:
        for suffix in ("-wal", "-shm", ""):
            Path(f"{self._file}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(kept, self._file)

    @property
    def _file(self) -> str:
        return self.url.removeprefix("sqlite:///")

    async def _found_tables(self) -> list[str]:
        connection = await self._connected()
        try:
            found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        finally:
            await connection.close()
        return sorted(row[0] for row in found)

    async def _execute(self, statements: str) -> None:
        connection = await self._connected()
        try:
            await connection.execute(statements)
        finally:
            await connection.close()

    async def _connected(self) -> Any:
        import asyncpg

        assert urlsplit(self.url).scheme == "postgresql", self.url
        return await asyncpg.connect(self.url)


def _copying(tables: list[str], name: str) -> str:
    made = [f"CREATE TABLE kept_{name}.{table} AS TABLE public.{table}" for table in tables]
    return "; ".join([f"DROP SCHEMA IF EXISTS kept_{name} CASCADE", f"CREATE SCHEMA kept_{name}", *made])


def _restoring(tables: list[str], name: str) -> str:
    """Return one transaction that fills all tables anew, with foreign keys and triggers asleep."""
    emptied = [f"DELETE FROM public.{table}" for table in tables]
    filled = [f"INSERT INTO public.{table} SELECT * FROM kept_{name}.{table}" for table in tables]
    parts = ["BEGIN", "SET LOCAL session_replication_role = replica", *emptied, *filled, "COMMIT"]
    return "; ".join(parts)
