"""Every alert is counted once, shown to whoever may see it, and by several processes together."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import httpx2
import pytest

from portico.alerts.catalogue import RULES
from portico.alerts.services.following import Following
from portico.api_keys.types import KEY_FORMAT
from portico.audit.services import record
from portico.core.metrics import SHARED_FOLDER, CounterOf, Metrics
from portico.runtime import Runtime
from tests.audit.trail import chain
from tests.integration.ground import API, Population, populate

pytestmark = [pytest.mark.anyio, pytest.mark.bar("ASVS-13.4.5")]

HONEYTOKENS = 'portico_security_alerts_total{rule="honeytoken_used",severity="critical"}'
COUNTED = CounterOf("portico_things", "Things.", ("kind",))


@pytest.fixture
async def population(runtime: Runtime) -> Population:
    """Three people; what was raised while they were made is behind us."""
    people = await populate(runtime)
    await chain(runtime)
    await Following(runtime).run()
    return people


async def shown(client: httpx2.AsyncClient, headers: dict[str, str]) -> dict[str, float]:
    answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def alarm(runtime: Runtime) -> None:
    async with runtime.unit() as unit:
        record(runtime, unit, "api_key.honeytoken_used", subject=("api_key", uuid4()))
    await chain(runtime)
    await Following(runtime).run()


async def test_an_alert_is_counted_once(
    runtime: Runtime, client: httpx2.AsyncClient, population: Population
) -> None:
    begun = await shown(client, population.grace.bearer)
    await alarm(runtime)
    await alarm(runtime)
    await Following(runtime).run()
    after = await shown(client, population.grace.bearer)

    assert begun[HONEYTOKENS] == 0
    assert len(begun) == len(RULES)
    assert {name: value for name, value in after.items() if value != begun[name]} == {HONEYTOKENS: 2}


async def test_an_alert_that_goes_on_is_counted_once(
    runtime: Runtime, client: httpx2.AsyncClient, population: Population
) -> None:
    subject = ("api_key", uuid4())
    for _ in range(3):
        async with runtime.unit() as unit:
            record(runtime, unit, "api_key.honeytoken_used", subject=subject)
        await chain(runtime)
        await Following(runtime).run()

    assert (await shown(client, population.grace.bearer))[HONEYTOKENS] == 1


async def test_only_who_may_see_the_servers_health_sees_it(
    client: httpx2.AsyncClient, population: Population
) -> None:
    asked = [
        await client.get("/metrics", headers=headers)
        for headers in ({}, population.ada.bearer, {"Authorization": f"Bearer {KEY_FORMAT.prefix}x"})
    ]

    assert [answer.status_code for answer in asked] == [401, 403, 401]
    assert not any("portico_security" in answer.text for answer in asked)


async def test_a_scraper_reads_it_with_an_api_key(client: httpx2.AsyncClient, population: Population) -> None:
    made = await client.post(
        f"{API}/api-keys",
        json={"name": "Prometheus", "scopes": ["platform:health:read"]},
        headers=population.grace.bearer,
    )
    assert made.status_code == 201, made.text

    assert HONEYTOKENS in await shown(client, {"Authorization": f"Bearer {made.json()['key']}"})


async def test_it_speaks_openmetrics_where_that_is_asked_for(
    client: httpx2.AsyncClient, population: Population
) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = await client.get("/metrics", headers={**population.grace.bearer, **accept})

    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


PROGRAM = """
import sys
from portico.core.metrics import CounterOf, Metrics
metrics, things = Metrics(), CounterOf("portico_things", "Things.", ("kind",))
for _ in range(int(sys.argv[1])):
    metrics.count(things, "small")
print(metrics.written("")[0].decode())
"""


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_processes_that_share_a_folder_count_together(database_kind: str, tmp_path: os.PathLike[str]) -> None:
    """Also what a process counted that has gone."""
    environment = {**os.environ, SHARED_FOLDER: os.fspath(tmp_path)}
    told = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(count)],
            env=environment, check=True, capture_output=True, text=True,
        ).stdout
        for count in (2, 3)
    ]  # fmt: skip

    assert 'portico_things_total{kind="small"} 2.0' in told[0]
    assert 'portico_things_total{kind="small"} 5.0' in told[1]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_runtimes_of_one_process_count_for_themselves(database_kind: str) -> None:
    one, other = Metrics(), Metrics()
    one.count(COUNTED, "small", amount=3)
    other.expect(COUNTED, [("small",)])

    assert b'portico_things_total{kind="small"} 3.0' in one.written("")[0]
    assert b'portico_things_total{kind="small"} 0.0' in other.written("")[0]


def test_counters_that_are_written_while_they_count_are_made_once() -> None:
    counters = [CounterOf(f"made_{number}", "Made.", ("by",)) for number in range(200)]
    metrics, start = Metrics(), Barrier(2)
    for counter in counters:
        metrics.expect(counter, [("x",)])

    def write() -> None:
        start.wait()
        metrics.written("")

    def count() -> None:
        start.wait()
        for counter in counters:
            metrics.count(counter, "x")

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(write), pool.submit(count)]:
                done.result()
    finally:
        sys.setswitchinterval(interval)

    assert metrics.written("")[0].count(b'_total{by="x"} 1.0') == 200
