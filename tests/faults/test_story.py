"""What all of it is for: a person signs up while the worker is being killed again and again.

It ends with one account, one mail to prove the address (or the same Message-ID twice), and one `user.created` at each
subscriber: with the embedded runner, and with Celery on Redis and on RabbitMQ.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import func, select, update

from portico.app import assemble
from portico.audit.models import AuditEntry
from portico.composition import compose, opened
from portico.core.settings import Settings
from portico.messaging.models import JobRecord, OutboxRecord
from portico.messaging.types import JobStatus
from portico.runtime import Runtime
from portico.users.models import User
from tests.faults.histories import Nodes, running_nodes
from tests.faults.witness import BY_JOB, BY_TAP, features_of_story, heard
from tests.faults.world import API, PUBLIC_URL, settings_given
from tests.mail.sink import Sink
from tests.messaging.celery.conftest import broker_of
from tests.sessions.people import PASSWORD, rows_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

KILLS = 6
WORK_SECONDS = 2.0
"""How long the killer waits for a worker that has begun something."""
REST_SECONDS = 0.1
RESTS = dict.fromkeys(
    ("relay.before_mark", "jobs.run.after_claim", "mail.sender.after_send", "jobs.run.before_finish"),
    REST_SECONDS,
)
"""Where the worker takes its time, so that a kill finds it there."""
LONG_AGO = timedelta(minutes=10)
PATIENCE_SECONDS = 60.0
PLACES = [
    pytest.param("sqlite", None, id="sqlite"),
    pytest.param("postgresql", None, id="postgresql"),
    pytest.param("postgresql", "valkey", id="celery-redis"),
    pytest.param("postgresql", "rabbitmq", id="celery-rabbitmq", marks=pytest.mark.amqp),
]


@pytest.fixture
def broker_url(broker: str | None) -> Iterator[str | None]:
    """Return the URL of a broker of the test's own, None for the embedded runner."""
    if broker is None:
        yield None
        return
    with broker_of(broker) as server:
        yield server.url


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink() as sink:
        yield sink


@pytest.mark.bar("P1", "P8", "P9", "P11")
@pytest.mark.parametrize(("database_kind", "broker"), PLACES)
async def test_a_person_signs_up_while_the_worker_is_killed_again_and_again(
    database_url: str, broker_url: str | None, folder: Path, sink: Sink
) -> None:
    jobs = {"lease": 2, "poll": 0.1, "embedded": False, "broker_url": broker_url}
    given = {**settings_given(database_url, folder, sink.url), "jobs": jobs}
    settings = Settings(**given)
    (folder / "data").mkdir()
    runtime = compose(settings, features_of_story(folder / "data"))
    async with opened(runtime):
        with running_nodes(given, count=1, works=True, rests=RESTS) as nodes:
            await asyncio.gather(_sign_up(runtime), _kill_often(runtime, nodes))
            await _all_done(runtime)

        people = await rows_of(runtime, User)
        created = await rows_of(runtime, OutboxRecord, OutboxRecord.name == "user.created")
        noted = {action: await _noted(runtime, action) for action in (BY_JOB, BY_TAP)}
        jobs_done = await rows_of(runtime, JobRecord)

    assert [str(person.id) for person in people] == [event.payload["user_id"] for event in created]
    assert len(people) == 1
    assert len({mail.message["Message-ID"] for mail in sink.received}) == 1
    assert len(sink.received) <= 1 + KILLS
    event = str(created[0].id)
    assert [counts[event] for counts in noted.values()] == [1, 1]
    assert 1 <= heard(folder / "data").count(event) <= 1 + KILLS
    assert {job.status for job in jobs_done} == {JobStatus.DONE}
    assert max(job.attempts for job in jobs_done) > 1, "no kill has hit anything"


async def _sign_up(runtime: Runtime) -> None:
    await asyncio.sleep(0.2)
    transport = httpx2.ASGITransport(app=assemble(runtime))
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as client:
        wish = {"email": "ada@example.org", "password": PASSWORD}
        answer = await client.post(f"{API}/auth/register", json=wish)
    assert answer.status_code == 201, answer.text


async def _kill_often(runtime: Runtime, nodes: Nodes) -> None:
    """Kill the worker at different moments of its work, and let another one come."""
    chance = random.Random(20261120)
    for _ in range(KILLS):
        with suppress(TimeoutError):
            async with asyncio.timeout(WORK_SECONDS):
                while not await _running(runtime):  # noqa: ASYNC110 - the worker is another process
                    await asyncio.sleep(0.02)
        await asyncio.sleep(chance.random() * 3 * REST_SECONDS)
        nodes.kill(0)
        await _let_time_pass(runtime, JobStatus.RUNNING, JobStatus.QUEUED)
        await asyncio.to_thread(nodes.start, 0)


async def _let_time_pass(runtime: Runtime, *statuses: JobStatus) -> None:
    """Move the moments at which jobs are due, announced again or given to another worker into the past."""
    past = runtime.clock.now() - LONG_AGO
    async with runtime.unit() as unit:
        for status in statuses:
            values = {"claimed_until": past} if status is JobStatus.RUNNING else {"run_at": past}
            await unit.session.execute(update(JobRecord).where(JobRecord.status == status).values(**values))
        announced = JobRecord.announced_at.is_not(None)
        await unit.session.execute(update(JobRecord).where(announced).values(announced_at=past))


async def _all_done(runtime: Runtime) -> None:
    """Wait until nothing is left to do; waits of jobs that were lost are cut short."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await _left(runtime):
            await asyncio.sleep(0.5)
            await _let_time_pass(runtime, JobStatus.QUEUED)


async def _left(runtime: Runtime) -> int:
    waiting = select(func.count()).where(OutboxRecord.dispatched_at.is_(None))
    undone = select(func.count()).where(JobRecord.status.in_([JobStatus.QUEUED, JobStatus.RUNNING]))
    async with runtime.reads() as session:
        return (await session.scalar(waiting) or 0) + (await session.scalar(undone) or 0)


async def _noted(runtime: Runtime, action: str) -> Counter[str]:
    return Counter(
        row.details["event"] for row in await rows_of(runtime, AuditEntry, AuditEntry.action == action)
    )


async def _running(runtime: Runtime) -> bool:
    return len(await rows_of(runtime, JobRecord, JobRecord.status == JobStatus.RUNNING)) > 0
