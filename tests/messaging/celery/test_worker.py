"""A Celery worker as a process: what it is told twice it does once; what is taken from it is done by another."""

import random
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from uuid import UUID

import anyio
import anyio.to_thread
import pytest

from portico.composition import chains_of
from portico.core.settings import Settings
from portico.messaging import Jobs, JobStatus
from portico.messaging.celery.announcer import Announcer
from portico.messaging.celery.broker import JobBroker
from portico.runtime import Runtime
from portico.testing.templates import DatabaseTemplates
from tests.messaging.celery.conftest import (
    Broker,
    Kitchen,
    broker_of,
    count,
    eventually,
    words,
)
from tests.messaging.celery.pantry import die_once, nap, note, pantry

SETS = [
    pytest.param(("valkey", "postgresql", "prefork"), id="valkey-postgresql-prefork"),
    pytest.param(("valkey", "sqlite", "threads"), id="valkey-sqlite-threads"),
    pytest.param(("rabbitmq", "postgresql", "threads"), id="rabbitmq", marks=pytest.mark.amqp),
    pytest.param(("rabbitmq", "postgresql", "prefork"), id="rabbitmq-prefork", marks=pytest.mark.amqp),
]
GRACE_SECONDS = 2


@pytest.fixture(scope="module", params=SETS)
def place(request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """Broker, database and pool."""
    chosen: tuple[str, str, str] = request.param
    return chosen


@pytest.fixture(scope="module")
def broker(place: tuple[str, str, str]) -> Iterator[Broker]:
    with broker_of(place[0]) as server:
        yield server


@pytest.fixture(scope="module")
def kitchen(
    place: tuple[str, str, str],
    broker: Broker,
    database_templates: DatabaseTemplates,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Kitchen]:
    """One worker for all tests of the module, started by the first one that needs it."""
    folder, chains = tmp_path_factory.mktemp("kitchen"), chains_of([pantry])
    options = ["--pool", place[2], "--concurrency", "2", "--grace", str(GRACE_SECONDS)]

    def made(url: str) -> Kitchen:
        settings = Settings(
            environment="test",
            data_dir=folder,
            database={"url": url, "pool_size": 3},
            jobs={"broker_url": broker.url},
        )
        return Kitchen(settings, folder, options)

    if place[1] == "sqlite":
        kitchen = made(database_templates.sqlite(folder / "portico.db", chains))
        yield kitchen
        kitchen.close()
        return
    with database_templates.postgres(chains) as url:
        kitchen = made(url)
        yield kitchen
        kitchen.close()


@pytest.fixture
async def runtime(open_kitchen: Runtime, kitchen: Kitchen) -> AsyncIterator[Runtime]:
    kitchen.start()
    with kitchen.patience():
        yield open_kitchen


async def enqueue(runtime: Runtime, number: int) -> list[UUID]:
    async with runtime.unit() as unit:
        return [runtime.get(Jobs).enqueue(unit, note, word=str(each)) for each in range(number)]


async def is_done(runtime: Runtime, number: int) -> bool:
    return await count(runtime, JobStatus.DONE) == number


@pytest.mark.bar("P11")
async def test_every_message_twice_and_shuffled_has_one_effect_a_job(
    runtime: Runtime, broker: Broker
) -> None:
    job_ids = await enqueue(runtime, 150)
    messages = job_ids * 2
    random.Random(7).shuffle(messages)
    sender = JobBroker(broker.url)
    sender.send({"pantry": messages})
    sender.close()

    await eventually(lambda: is_done(runtime, 150))

    assert await words(runtime) == sorted(str(each) for each in range(150))


@pytest.mark.bar("P11")
async def test_job_whose_worker_is_killed_runs_again_after_the_lease(
    runtime: Runtime, kitchen: Kitchen
) -> None:
    async with runtime.unit() as unit:
        runtime.get(Jobs).enqueue(unit, die_once)

    async def is_done_by_another() -> bool:
        kitchen.start()  # with threads the whole worker dies, with prefork one process of it
        return await is_done(runtime, 1)

    await eventually(is_done_by_another)
    assert await words(runtime) == ["began 1", "began 2", "done"]


@pytest.mark.bar("P20")
async def test_flushed_broker_loses_nothing(runtime: Runtime, broker: Broker, kitchen: Kitchen) -> None:
    kitchen.stop()
    announcer = Announcer(runtime, again_after=timedelta(seconds=1))
    await enqueue(runtime, 60)
    await eventually(lambda: announced(announcer))
    empty(broker)
    kitchen.start()

    async def drained() -> bool:
        await announcer.announce()
        return await is_done(runtime, 60)

    await eventually(drained)
    await announcer.close()
    assert await words(runtime) == sorted(str(each) for each in range(60))


async def announced(announcer: Announcer) -> bool:
    return await announcer.announce() > 0


def empty(broker: Broker) -> None:
    """Take everything away from the broker, as FLUSHALL does."""
    if broker.kind == "valkey":
        broker.stop()  # it keeps nothing
        broker.start()
        return
    broker.control("purge_queue", "portico.pantry")  # type: ignore[union-attr]


@pytest.mark.bar("P20")
async def test_broker_that_goes_and_comes_back_delays_and_loses_nothing(
    runtime: Runtime, broker: Broker
) -> None:
    await enqueue(runtime, 20)
    broker.stop()
    await enqueue(runtime, 20)
    broker.start()

    await eventually(lambda: is_done(runtime, 40), 45)
    assert len(set(await words(runtime))) == 20
    assert len(await words(runtime)) == 40


@pytest.mark.bar("P20")
async def test_broker_that_freezes_delays_and_loses_nothing(runtime: Runtime, broker: Broker) -> None:
    await enqueue(runtime, 20)
    broker.pause()
    await enqueue(runtime, 20)
    await anyio.sleep(1)
    broker.resume()

    await eventually(lambda: is_done(runtime, 40), 45)
    assert len(await words(runtime)) == 40


@pytest.mark.bar("P11")
@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_hundred_thousand_deliveries_of_fifty_thousand_jobs(runtime: Runtime, broker: Broker) -> None:
    number = 50_000
    messages = [job_id for _ in range(0, number, 500) for job_id in await enqueue(runtime, 500)] * 2
    random.Random(11).shuffle(messages)
    sender = JobBroker(broker.url)
    for first in range(0, len(messages), 2_000):
        part = messages[first : first + 2_000]
        await anyio.to_thread.run_sync(sender.send, {"pantry": part})
    sender.close()

    await eventually(lambda: is_done(runtime, number), 600)
    assert len(await words(runtime)) == number


async def test_stop_lets_jobs_end_and_gives_back_what_takes_longer(
    runtime: Runtime, kitchen: Kitchen
) -> None:
    async with runtime.unit() as unit:
        short = runtime.get(Jobs).enqueue(unit, nap, seconds=GRACE_SECONDS / 2)
        long = runtime.get(Jobs).enqueue(unit, nap, seconds=60)
    await eventually(lambda: both_began(runtime))

    assert kitchen.stop() == 0

    jobs = runtime.get(Jobs)
    assert (await jobs.get(short)).status is JobStatus.DONE
    given_back = await jobs.get(long)
    assert (given_back.status, given_back.attempts) == (JobStatus.QUEUED, 0)


async def both_began(runtime: Runtime) -> bool:
    return (await words(runtime)).count("began 1") == 2


async def test_garbage_in_the_queue_harms_nobody(runtime: Runtime, broker: Broker) -> None:
    sender = JobBroker(broker.url)
    sender.send({"pantry": [UUID(int=1), "no id", None]})  # type: ignore[list-item]
    sender.close()
    await enqueue(runtime, 1)

    await eventually(lambda: is_done(runtime, 1))
