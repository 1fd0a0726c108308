"""Two organizations in one small pool, with requests that are cancelled and connections that are killed.

What is asked goes the normal way, and, on PostgreSQL, also past Portico by the driver of the same connection: there
only the setting of the transaction keeps the organizations apart, and one that outlived its transaction would show.
The long run is `python -m tests.faults.storm --requests 1000000`; what was done is written down in `build/faults`, so
that an interrupted run goes on where it stopped.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DBAPIError

from portico.app import default_features
from portico.composition import chains_of, compose
from portico.core.errors import Unavailable
from portico.core.ids import OrganizationId
from portico.core.settings import Settings
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing.isolation import new_organization
from portico.testing.templates import DatabaseTemplates
from tests.db.notebook.models import Notebook

TOGETHER = 8
CANCELLED = 0.2
"""Of so many requests one's client goes away."""
KILL_EVERY = 150
FEWEST, MOST = 5, 40
BATCH = 10_000
KINDS = ("sqlite", "postgresql")

LOST = (
    Unavailable,
    DBAPIError,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server's farewell was just being read
)

type Ask = Callable[["Storm", OrganizationId], Awaitable[set[Any]]]


@dataclass(slots=True)
class Storm:
    """Who asks what, and what was found that should not be."""

    runtime: Runtime
    chance: random.Random
    organizations: list[OrganizationId] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    asked: int = 0
    answered: int = 0
    cancelled: int = 0
    broken: int = 0
    """How many failed with their connection."""
    killed: int = 0

    async def rage(self, requests: int) -> None:
        """Ask so many times, some together, and look at all rows in the end."""
        self.organizations = [await new_organization(self.runtime) for _ in range(2)]
        for organization_id in self.organizations:
            async with (unit := self.runtime.unit(organization_id)):
                unit.session.add_all(Notebook(title=organization_id.hex) for _ in range(FEWEST))
        async with asyncio.TaskGroup() as group:
            for _ in range(TOGETHER):
                group.create_task(self._client(requests))
        await self._look_at_all()

    async def _client(self, requests: int) -> None:
        while self.asked < requests:
            self.asked += 1
            if not self.runtime.database.is_sqlite and self.asked % KILL_EVERY == 0:
                await self._kill()
            await self._ask()

    async def _ask(self) -> None:
        ask, organization_id = self.chance.choice(ASKS), self.chance.choice(self.organizations)
        request = asyncio.ensure_future(ask(self, organization_id))
        if self.chance.random() < CANCELLED:
            asyncio.get_running_loop().call_later(self.chance.random() * 0.01, request.cancel)
        try:
            seen = await request
        except asyncio.CancelledError:
            self.cancelled += 1
        except LOST:
            self.broken += 1
        else:
            self.answered += 1
            foreign = seen - {organization_id}
            if foreign:
                self.faults.append(f"request {self.asked}, {ask.__name__}: sees rows of {foreign}")

    async def _kill(self) -> None:
        """Cut some of the pool's connections, whatever they are doing."""
        victims = text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5"
        )
        with suppress(Unavailable, DBAPIError, OSError):
            async with self.runtime.reads() as session:
                self.killed += await session.scalar(victims) or 0

    async def _look_at_all(self) -> None:
        """Every row says in its title whose it was meant to be."""
        for organization_id in self.organizations:
            titles = await self._titles(organization_id)
            if titles - {organization_id.hex}:
                self.faults.append(f"rows of {titles} belong to {organization_id.hex}")

    async def _titles(self, organization_id: OrganizationId) -> set[str]:
        """Return all titles there; connections that were killed last are still being noticed."""
        while True:
            try:
                async with self.runtime.reads(organization_id) as session:
                    return set(await session.scalars(select(Notebook.title)))
            except LOST:
                await asyncio.sleep(0.01)


async def reads_rows(storm: Storm, organization_id: OrganizationId) -> set[Any]:
    """Read the organization's rows."""
    async with storm.runtime.reads(organization_id) as session:
        return set(await session.scalars(select(Notebook.organization_id)))


async def counts_rows(storm: Storm, organization_id: OrganizationId) -> set[Any]:
    """Count twice, with the other organization's rows under a name of their own."""
    async with storm.runtime.reads(organization_id) as session:
        await session.scalar(select(func.count(Notebook.id)))
        return set(await session.scalars(select(Notebook.organization_id).distinct()))


async def reads_past_portico(storm: Storm, organization_id: OrganizationId) -> set[Any]:
    """Ask the driver of the connection, in the middle of a read."""
    async with storm.runtime.reads(organization_id) as session:
        await session.scalar(select(func.count(Notebook.id)))
        return await _all_by_driver(storm, session)


async def writes_past_portico(storm: Storm, organization_id: OrganizationId) -> set[Any]:
    """Ask the driver of the connection, in the middle of a write."""
    async with (unit := storm.runtime.unit(organization_id)):
        await unit.session.execute(update(Notebook).values(title=organization_id.hex))
        return await _all_by_driver(storm, unit.session)


async def reads_without_organization(storm: Storm, _: OrganizationId) -> set[Any]:
    """Ask the driver where no organization was said: any row is a foreign one."""
    async with storm.runtime.reads() as session:
        await session.scalar(text("SELECT 1"))
        return {f"nobody's: {each}" for each in await _all_by_driver(storm, session)}


async def writes_without_organization(storm: Storm, _: OrganizationId) -> set[Any]:
    """Ask the driver in a unit of work of no organization."""
    async with (unit := storm.runtime.unit()):
        await unit.session.scalar(text("SELECT 1"))
        return {f"nobody's: {each}" for each in await _all_by_driver(storm, unit.session)}


async def adds_row(storm: Storm, organization_id: OrganizationId) -> set[Any]:
    """Add a row, or take some away where there are many."""
    async with (unit := storm.runtime.unit(organization_id)):
        keys = (await unit.session.scalars(select(Notebook.id).order_by(Notebook.id))).all()
        if len(keys) > MOST:
            await unit.session.execute(delete(Notebook).where(Notebook.id.in_(keys[FEWEST:])))
        unit.session.add(row := Notebook(title=organization_id.hex))
        await unit.session.flush()
        return {row.organization_id}


async def changes_everything(storm: Storm, organization_id: OrganizationId) -> set[Any]:
    """Write the own name into every row that is in reach."""
    async with (unit := storm.runtime.unit(organization_id)):
        change = update(Notebook).values(title=organization_id.hex).returning(Notebook.organization_id)
        return set(await unit.session.scalars(change))


async def gives_up(storm: Storm, organization_id: OrganizationId) -> set[Any]:
    """Break off in the middle, as a bug does."""
    with suppress(ZeroDivisionError):
        async with (unit := storm.runtime.unit(organization_id)):
            await unit.session.execute(update(Notebook).values(title="half done"))
            raise ZeroDivisionError
    return set()


ASKS: list[Ask] = [
    reads_rows, counts_rows, reads_past_portico, writes_past_portico, reads_without_organization,
    writes_without_organization, adds_row, changes_everything, gives_up,
]  # fmt: skip


async def _all_by_driver(storm: Storm, session: Any) -> set[Any]:
    """Return whose rows the driver sees on the session's connection; on SQLite it would see all, so none is asked."""
    if storm.runtime.database.is_sqlite:
        return set()
    raw = await (await session.connection()).get_raw_connection()
    rows = await raw.driver_connection.fetch("SELECT DISTINCT organization_id FROM test_notebooks")
    return {OrganizationId(row[0]) for row in rows}


def storm(url: str, folder: Path, *, requests: int, seed: int) -> Storm:
    """Let a storm of requests go over an empty database that has the notebook's tables."""
    return asyncio.run(_storm(url, folder, requests, seed))


async def _storm(url: str, folder: Path, requests: int, seed: int) -> Storm:
    settings = Settings(
        environment="test",
        data_dir=folder,
        database={"url": url, "pool_size": 3, "pool_overflow": 1, "readers": 2},
    )
    runtime = compose(settings, [])
    try:
        raging = Storm(runtime, random.Random(seed))
        await raging.rage(requests)
        return raging
    finally:
        await runtime.database.close()


def notebook_features() -> list[Feature]:
    """Return Portico's features and the notebook."""
    return [*default_features(), Feature(name="notebook", migrations="tests.db.notebook.migrations")]


def main() -> int:
    """Run the long storm; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.storm", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=20261120)
    parser.add_argument("--folder", type=Path, default=Path("build/faults"))
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    ledger = asked.folder / f"storm-{asked.seed}.jsonl"
    known = [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []
    done = {(entry["kind"], entry["batch"]) for entry in known}
    for batch in range(-(-asked.requests // BATCH)):
        kind = KINDS[batch % 4 > 0]  # three quarters on PostgreSQL, which has more to lose
        if (kind, batch) not in done:
            known.append(_batch(kind, batch, asked.seed + batch))
            with ledger.open("a") as file:
                file.write(json.dumps(known[-1]) + "\n")
        _tell(known)
    return 1 if any(entry["faults"] for entry in known) else 0


def _batch(kind: str, batch: int, seed: int) -> dict[str, Any]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        templates = DatabaseTemplates(folder, "storm")
        chains = chains_of(notebook_features())
        try:
            if kind == "sqlite":
                raged = storm(
                    templates.sqlite(folder / "portico.db", chains), folder, requests=BATCH, seed=seed
                )
            else:
                with templates.postgres(chains) as url:
                    raged = storm(url, folder, requests=BATCH, seed=seed)
        finally:
            templates.close()
    figures = ("asked", "answered", "cancelled", "broken", "killed", "faults")
    told = {name: getattr(raged, name) for name in figures}
    return {"kind": kind, "batch": batch, "seconds": time.monotonic() - began, **told}


def _tell(entries: list[dict[str, Any]]) -> None:
    sums = {
        name: sum(entry[name] for entry in entries) for name in ("asked", "cancelled", "broken", "killed")
    }
    faults = sum(len(entry["faults"]) for entry in entries)
    sys.stdout.write(
        f"{sums['asked']} requests, {sums['cancelled']} cancelled, {sums['broken']} broken off by"
        f" {sums['killed']} killed connections: {faults} saw a foreign row\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
