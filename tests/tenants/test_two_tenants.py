"""CHECK-2: ids of one tenant in every place of the other's requests. Nothing is told, nothing is changed.

Each run asks as everybody whom a tenant has, people and machines, and puts what is the other tenant's into path, query,
body, cursor and idempotency key. Some requests are cancelled on the way, as clients do that go away.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI

from portico.runtime import Runtime
from tests.integration.wire import ask
from tests.tenants.swapping import UNSAFE, Swapped, Swapper, batches, kinds_of, leaks
from tests.tenants.world import Tenant, World

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.timeout(600),
    # Who goes away while the driver opens a connection leaves it to the collector of garbage.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

REQUESTS = int(os.environ.get("PORTICO_TEST_TENANT_REQUESTS", "20000"))
PARTS = 10
LOOK_EVERY = 250
CANCELLED_OF_HUNDRED = 4
REFUSED = frozenset({400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422, 428, 429})


class Attack:
    """Sends requests of one tenant that carry what is the other's, and keeps score."""

    def __init__(self, world: World, app: FastAPI, seed: int, *, resets: bool) -> None:
        self.world, self.app, self.seed, self.resets = world, app, seed, resets
        self.random = random.Random(seed)
        self.faults: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.asked: set[str] = set()
        self.written: set[str] = set()

    async def run(self, requests: int) -> None:
        """Ask, and look at the victim now and then."""
        victim = await self.world.tenant()
        attacker = await self.world.tenant()
        before = await self.world.belongings(victim)
        for number, size in enumerate(batches(requests, LOOK_EVERY)):
            if not await self.world.is_whole(attacker):
                attacker = await self.world.tenant()
            if self.resets:
                await self._reset_connections()
            swapper = Swapper(self.app, attacker.things, victim.things, self.seed * 1000 + number)
            await self._ask_many(swapper, attacker, victim, size)
            after = await self.world.belongings(victim)
            changed = sorted(name for name in before if before[name] != after[name])
            if changed:
                self.faults.append(f"changed: {changed}")
                before = after
        assert await self.world.is_whole(victim)

    async def _reset_connections(self) -> None:
        """Cut every connection of the server, as a failover does; the pool notices at the next statement."""
        cut = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection = await asyncpg.connect(
            self.world.runtime.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        )
        try:
            await connection.fetchval(cut)
        finally:
            await connection.close()

    async def _ask_many(self, swapper: Swapper, attacker: Tenant, victim: Tenant, size: int) -> None:
        for _ in range(size):
            made = swapper.make()
            name, caller = self.random.choice(list(attacker.callers.items()))
            if self.random.randrange(100) < CANCELLED_OF_HUNDRED:
                await self._cancelled(made, caller)
            else:
                await self._judged(made, name, caller, victim)

    async def _judged(self, made: Swapped, name: str, caller: dict[str, str], victim: Tenant) -> None:
        answer = await ask(
            self.app, made.route.method, made.target, headers={**made.headers, **caller}, body=made.body
        )
        self.statuses[answer.status_code] += 1
        self.asked.add(f"{made.route.method} {made.route.path}")
        if found := leaks(self._without_own(answer.text), victim.things, made.strange):
            self.faults.append(
                f"{name}: {made.route.method} {made.target} told {found[:3]}: {answer.text[:200]}"
            )
        if made.route.method in UNSAFE and answer.status_code < 300:
            self.written |= {each for each in made.strange if victim.things.canary in each}
        if answer.status_code == 503 and self.resets:
            return
        if answer.status_code >= 500:
            self.faults.append(
                f"{name}: {made.route.method} {made.target} {made.body!r}: {answer.text[:200]}"
            )
        if made.has_strange_path and answer.status_code not in REFUSED:
            self.faults.append(f"{name}: {made.route.method} {made.target}: {answer.status_code}")

    def _without_own(self, text: str) -> str:
        """Return an answer without what a caller has made his own before, such as a username that had become free."""
        for word in self.written:
            text = text.replace(word, "")
        return text

    async def _cancelled(self, made: Swapped, caller: dict[str, str]) -> None:
        """Send a request and go away after a moment."""
        sent = asyncio.ensure_future(
            ask(self.app, made.route.method, made.target, headers={**made.headers, **caller}, body=made.body)
        )
        await asyncio.sleep(self.random.random() * 0.004)
        sent.cancel()
        with suppress(asyncio.CancelledError, IndexError):  # gone before the first byte
            await sent


@contextmanager
def drivers_complaints_unheard() -> Iterator[None]:
    """Let asyncpg say to nobody that a connection was lost which a cancelled request was opening."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def handle(of: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), ConnectionError) and before is not None:
            before(of, context)

    loop.set_exception_handler(handle)
    try:
        yield
    finally:
        loop.set_exception_handler(before)


@pytest.mark.bar("CHECK-2", "ASVS-8.2.2", "ASVS-8.4.1", "P35", "CVE-2025-64431", "CVE-2026-33132", "T10")
@pytest.mark.parametrize("part", range(PARTS))
async def test_nothing_of_the_other_tenant_is_told_or_changed(
    world: World, app: FastAPI, database_kind: str, part: int
) -> None:
    on_postgres = database_kind == "postgresql"
    attack = Attack(world, app, seed=part * 2 + on_postgres, resets=on_postgres and part % 2 == 1)

    with drivers_complaints_unheard():
        await attack.run(REQUESTS // PARTS // 2)

    assert attack.faults == [], f"{len(attack.faults)}: {attack.faults[:5]}"
    assert attack.statuses[404] > REQUESTS // PARTS // 8
    assert len(attack.asked) > 60


async def test_every_kind_of_id_is_swapped(world: World, app: FastAPI, runtime: Runtime) -> None:
    tenant = await world.tenant()
    swapper = Swapper(app, tenant.things, tenant.things, 1)

    missing = kinds_of([row.path for row in swapper.routes]) - tenant.things.ids.keys()

    # Of the deployment, not of a tenant; and what only a running deployment makes.
    of_deployment = {"token_id", "endpoint_id", "delivery_id", "job_id", "alert_id", "name"}
    assert missing <= of_deployment | {"resource_id", "initial_token_id"}
