"""What the trail costs: an entry inside a transaction, and the verification of a long trail.

`python -m benchmarks.audit price|fill|verify <count>` is the program that measures from the inside; the functions
below run it and take in what it prints.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from statistics import median

from benchmarks.figures import Figure, Plan, at_most
from benchmarks.lab import do_nothing, lab_feature
from benchmarks.servers import portico
from portico.app import default_features
from portico.audit.services import record
from portico.audit.services.sequencing import Sequencer
from portico.audit.services.verifying import verify_trail
from portico.composition import compose, opened
from portico.core.context import RequestContext, set_current_request
from portico.core.ids import new_id
from portico.core.logging import configure_logging
from portico.core.settings import Settings
from portico.messaging import Jobs
from portico.runtime import Runtime

ENTRIES = 1_000_000
QUICK_ENTRIES = 20_000
ROUNDS = 400
BATCH = 2_000
STREAMS = 20


def price_of_the_trail(database: str, plan: Plan, environment: Mapping[str, str]) -> Iterator[Figure]:
    """Yield what an entry adds to a transaction, and how fast and in how much memory a trail is verified."""
    portico(["migrate"], environment)
    price = _told("price", ROUNDS, environment)
    yield at_most(database, "an entry of the trail, made and authenticated", price["made"], "µs", most=20)
    yield Figure(database, "a transaction that writes a job", price["without"], "µs", "")
    yield Figure(database, "the same with an entry of the trail, more", price["more"], "µs", "")
    total = ENTRIES if plan.people > 50_000 else QUICK_ENTRIES
    filled = _told("fill", total // 10, environment)
    small = _told("verify", 0, environment)
    filled = _told("fill", total - total // 10, environment)
    whole = _told("verify", 0, environment)
    yield Figure(database, "sequencer", filled["chained"], "entries/s", "")
    yield Figure(database, f"audit verify, {whole['entries']:,.0f} entries", whole["rate"], "entries/s", "")
    yield Figure(database, "audit verify, memory at the end", whole["megabytes"], "MB", "")
    growth = whole["megabytes"] / small["megabytes"]
    yield at_most(database, "audit verify, memory for ten times the entries", growth, "", most=1.1)


def _told(what: str, count: int, environment: Mapping[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.audit", what, str(count)]
    done = subprocess.run(command, env=dict(environment), check=True, stdout=subprocess.PIPE)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def _acts(runtime: Runtime, unit: object, number: int, organization: object = None) -> None:
    record(
        runtime, unit, "session.created",  # type: ignore[arg-type]
        actor=ACTOR, subject=("user", ACTOR), session_id=ACTOR, details={"method": "password", "number": number},
        organization_id=organization,  # type: ignore[arg-type]
    )  # fmt: skip


ACTOR = new_id()


async def price(runtime: Runtime, rounds: int) -> dict[str, float]:
    """Compare transactions with an entry with the same ones without, in turn."""
    spent: dict[bool, list[float]] = {False: [], True: []}
    for number in range(2 * rounds):
        with_entry = bool(number % 2)
        begun = time.perf_counter()
        async with runtime.unit() as unit:
            runtime.get(Jobs).enqueue(unit, do_nothing)
            if with_entry:
                _acts(runtime, unit, number)
        spent[with_entry].append((time.perf_counter() - begun) * 1e6)
    made = []
    for _ in range(20):
        async with (unit := runtime.unit()):
            begun = time.process_time()
            for number in range(200):
                _acts(runtime, unit, number)
            made.append((time.process_time() - begun) / 200 * 1e6)
            await unit.abandon()
    more = median(b - a for a, b in zip(spent[False], spent[True], strict=True))
    return {"made": median(made), "without": median(spent[False]), "more": more}


async def fill(runtime: Runtime, count: int) -> dict[str, float]:
    """Write entries in large transactions, over some streams, and chain them."""
    streams = [None, *(new_id() for _ in range(STREAMS - 1))]
    begun = time.perf_counter()
    for first in range(0, count, BATCH):
        async with runtime.unit() as unit:
            for number in range(first, min(first + BATCH, count)):
                _acts(runtime, unit, number, streams[number % STREAMS])
    written = time.perf_counter() - begun
    begun = time.perf_counter()
    chained = await Sequencer(runtime).run()
    return {"written": count / written, "chained": chained / (time.perf_counter() - begun)}


async def verify(runtime: Runtime, _: int) -> dict[str, float]:
    """Verify the trail as the command does."""
    begun = time.perf_counter()
    found = await verify_trail(runtime)
    if not found.is_sound:
        raise RuntimeError(f"the trail is not sound: {found.faults}")
    rate = found.entries / (time.perf_counter() - begun)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"entries": found.entries, "rate": rate, "megabytes": megabytes}


WORKS = {"price": price, "fill": fill, "verify": verify}


async def main(what: str, count: int) -> None:
    """Open a runtime, without periodic work, and measure one thing."""
    settings = Settings()
    configure_logging(settings, sys.stderr)
    set_current_request(RequestContext("a-request", client_address="203.0.113.7", user_agent="A browser"))
    async with opened(compose(settings, [*default_features(), lab_feature()]), follows=False) as runtime:
        print(json.dumps(await WORKS[what](runtime, count)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
