"""What tenant isolation costs: lists of one organization among many, and what its walls add to a statement.

`python -m benchmarks.tenants fill|lists|statements <rows>` is the program that measures from the inside, with the
feature of `examples/documents`. On PostgreSQL it serves as a role that row level security binds.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from sqlalchemy import func, insert, select

from benchmarks.figures import Figure, Plan, at_most
from benchmarks.servers import portico
from portico.access.models import PrincipalRow, Tenant
from portico.access.types import SignInRules
from portico.app import default_features
from portico.cli.features import load_feature
from portico.composition import compose, opened
from portico.core.ids import OrganizationId, new_id
from portico.core.logging import configure_logging
from portico.core.settings import Settings
from portico.http.authentication import PrincipalKind
from portico.http.pagination import Cursors, PageQuery
from portico.organizations.models import Organization
from portico.runtime import Runtime
from portico.testing.services import databases

EXAMPLE = Path(__file__).parents[1] / "examples" / "documents"
FEATURE = "documents.feature:documents_feature"
ROWS, ORGANIZATIONS = 1_000_000, 10_000
QUICK_ROWS, QUICK_ORGANIZATIONS = 50_000, 500
LARGE = 0.1
"""The part of all rows that belongs to one large organization; the others share the rest."""
ASKED, WARM = 300, 20
ROUNDS, STATEMENTS = 15, 200
APPLICATION = "bench_application"


def price_of_isolation(database: str, plan: Plan, environment: Mapping[str, str]) -> Iterator[Figure]:
    """Yield how long lists take at the first page and at depth, and what the walls add."""
    given = _environment(database, environment)
    portico(["migrate"], given)
    rows = ROWS if plan.people > 50_000 else QUICK_ROWS
    count = _told("fill", rows, given)["organizations"]
    if database == "postgresql":
        asyncio.run(_analyze(given["PORTICO_DATABASE__OWNER_URL"]))
    what = f"of {rows:,} rows, {count:,.0f} organizations"
    lists = _told("lists", rows, given)
    yield Figure(database, f"list {what}, small one, p50", lists["small"], "ms", "")
    yield Figure(database, "list, large organization, first page, p50", lists["first"], "ms", "")
    yield Figure(database, "list, large organization, at depth, p50", lists["deep"], "ms", "")
    yield Figure(database, "list, large organization, at depth, p99", lists["deep_p99"], "ms", "")
    ratio = lists["deep"] / lists["first"]
    yield at_most(database, "list by cursor, depth over first page", ratio, "", most=1.5)
    price = _told("statements", rows, given)
    yield Figure(database, "a statement by primary key, processor time", price["plain"], "µs", "")
    yield at_most(database, "the same in a scoped table, more", price["more"], "µs", most=15)
    yield Figure(database, "reads of an organization, one statement, more", price["reads_more"], "µs", "")


def _environment(database: str, environment: Mapping[str, str]) -> dict[str, str]:
    given = {
        **environment,
        "PYTHONPATH": f"{EXAMPLE}:{Path.cwd()}",
        "PORTICO_FEATURES": json.dumps([FEATURE]),
        "PORTICO_LOGGING__LEVEL": "error",
    }
    if database == "postgresql":
        owner = environment["PORTICO_DATABASE__URL"]
        databases.make_roles(owner, [APPLICATION])
        given |= {
            "PORTICO_DATABASE__OWNER_URL": owner,
            "PORTICO_DATABASE__URL": databases.with_role(owner, APPLICATION),
        }
    return given


def _told(what: str, count: int, environment: Mapping[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.tenants", what, str(count)]
    done = subprocess.run(command, env=dict(environment), check=True, stdout=subprocess.PIPE)
    told: dict[str, float] = json.loads(done.stdout)
    return told


async def _analyze(owner_url: str) -> None:
    """Tell the planner of the rows, as the autovacuum of a running deployment does."""
    import asyncpg

    connection = await asyncpg.connect(owner_url)
    await connection.execute("ANALYZE")
    await connection.close()


def _document() -> Any:
    from documents.models import Document

    return Document


async def fill(runtime: Runtime, rows: int) -> dict[str, float]:
    """Make organizations and their documents: one has a tenth of all, the others share the rest."""
    document = _document()
    count = ORGANIZATIONS if rows >= ROWS else QUICK_ORGANIZATIONS
    ids = [OrganizationId(new_id()) for _ in range(count)]
    now, rules = runtime.clock.now(), SignInRules().as_json()
    times = {"created_at": now, "updated_at": now}
    async with (unit := runtime.unit()):
        kind = PrincipalKind.ORGANIZATION
        await unit.session.execute(
            insert(PrincipalRow), [{"id": each, "kind": kind, "created_at": now} for each in ids]
        )
        await unit.session.execute(
            insert(Tenant), [{"id": each, "created_at": now, "rules": rules} for each in ids]
        )
        named = [
            {"id": each, "name": "Bench", "slug": each.hex, "slug_key": each.hex, **times} for each in ids
        ]
        await unit.session.execute(insert(Organization), named)
    large = int(rows * LARGE)
    for position, organization_id in enumerate(ids):
        async with (unit := runtime.unit(organization_id)):
            amount = large if position == 0 else (rows - large) // (count - 1)
            for first in range(0, amount, 2_000):
                batch = range(first, min(first + 2_000, amount))
                await unit.session.execute(
                    insert(document),
                    [{"title": f"document {each}", "text": "A few words."} for each in batch],
                )
    return {"organizations": count}


async def lists(runtime: Runtime, _: int) -> dict[str, float]:
    """Ask for pages by cursor, as the service does."""
    from documents.feature import Documents

    small, large = await _organizations(runtime)

    def asking(organization_id: OrganizationId, query: PageQuery) -> Callable[[], Awaitable[Any]]:
        return lambda: Documents(runtime, runtime.unit(organization_id)).list_documents(query)

    found = await _milliseconds(
        {
            "small": asking(small, await _at_depth(runtime, small, 0.05)),
            "first": asking(large, await _at_depth(runtime, large, 0.0)),
            "deep": asking(large, await _at_depth(runtime, large, 0.95)),
        }
    )
    middle = {name: median(times) for name, times in found.items()}
    return middle | {"deep_p99": quantiles(found["deep"], n=100)[98]}


async def _organizations(runtime: Runtime) -> tuple[OrganizationId, OrganizationId]:
    """Return a small organization and the large one, which was made first."""
    async with runtime.reads() as session:
        found = (await session.scalars(select(Organization.id).order_by(Organization.id).limit(2))).all()
    return OrganizationId(found[1]), OrganizationId(found[0])


async def _at_depth(runtime: Runtime, organization_id: OrganizationId, depth: float) -> PageQuery:
    """Return the question for the page behind that part of the list, by cursor."""
    document, query = _document(), PageQuery(page_size=20)
    async with runtime.reads(organization_id) as session:
        total = await session.scalar(select(func.count(document.id))) or 0
        place = select(document.id).order_by(document.id).offset(int(total * depth)).limit(1)
        key = (await session.scalars(place)).one()
    cursor = Cursors.of(runtime).seal((key, key), query.binding("documents"))
    return query.model_copy(update={"cursor": cursor})


async def _milliseconds(asks: Mapping[str, Callable[[], Awaitable[Any]]]) -> dict[str, list[float]]:
    """Ask in turn, because the speed of a shared machine drifts."""
    times: dict[str, list[float]] = {name: [] for name in asks}
    for number in range(ASKED + WARM):
        for name, ask in asks.items():
            begun = time.perf_counter()
            await ask()
            if number >= WARM:
                times[name].append((time.perf_counter() - begun) * 1000)
    return times


async def statements(runtime: Runtime, _: int) -> dict[str, float]:
    """Compare a row by its key in a scoped table with one in a table that is not; rounds alternate."""
    document = _document()
    _small, organization_id = await _organizations(runtime)
    async with runtime.reads(organization_id) as session:
        key = (await session.scalars(select(document.id).limit(1))).one()
    plain = select(Organization.id).where(Organization.id == organization_id)
    scoped = select(document.id).where(document.id == key)
    spent: dict[str, list[float]] = {"plain": [], "scoped": [], "reads": [], "scoped_reads": []}
    for _round in range(ROUNDS):
        async with (unit := runtime.unit(organization_id)):
            for name, statement in (("plain", plain), ("scoped", scoped)):
                begun = time.process_time()
                for _each in range(STATEMENTS):
                    await unit.session.execute(statement)
                spent[name].append((time.process_time() - begun) / STATEMENTS * 1e6)
        for name, statement, whose in (("reads", plain, None), ("scoped_reads", scoped, organization_id)):
            begun = time.perf_counter()
            for _each in range(STATEMENTS):
                async with runtime.reads(whose) as session:
                    await session.execute(statement)
            spent[name].append((time.perf_counter() - begun) / STATEMENTS * 1e6)
    middle = {name: median(times) for name, times in spent.items()}
    return {
        "plain": middle["plain"],
        "more": middle["scoped"] - middle["plain"],
        "reads_more": middle["scoped_reads"] - middle["reads"],
    }


WORKS = {"fill": fill, "lists": lists, "statements": statements}


async def main(what: str, count: int) -> None:
    """Open a runtime, without periodic work, and measure one thing."""
    settings = Settings(database={"statement_timeout": timedelta(minutes=5)})
    configure_logging(settings, sys.stderr)
    async with opened(
        compose(settings, [*default_features(), load_feature(FEATURE)]), follows=False
    ) as runtime:
        print(json.dumps(await WORKS[what](runtime, count)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
