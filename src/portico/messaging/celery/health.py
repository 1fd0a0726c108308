"""How the broker of the jobs is, for `/health/detailed` and `portico doctor`."""

import asyncio

from portico.messaging.jobs import JobRegistry
from portico.messaging.repositories.announcements import AnnouncementRepository
from portico.runtime import Runtime


async def describe_job_broker(runtime: Runtime) -> str:
    """Return a sentence: whether the broker answers, how many messages it holds, how many jobs wait for a worker.

    Raises:
        BrokerAway: it cannot be reached, or does not answer in time.
    """
    async with runtime.reads() as session:
        due, announced = await AnnouncementRepository(session).count_waiting(runtime.clock.now())
    where, messages = await asyncio.to_thread(_ask, runtime)
    return f"{where} answers and holds {messages} messages; of {due} jobs due, {announced} are announced."


def _ask(runtime: Runtime) -> tuple[str, int]:
    from portico.messaging.celery.broker import JobBroker  # kombu: only where there is a broker

    url = runtime.settings.jobs.broker_url
    assert url is not None, "there is no broker for jobs"  # noqa: S101
    broker = JobBroker(url.get_secret_value())
    try:
        return broker.describe(), sum(broker.depths(runtime.get(JobRegistry).queues).values())
    finally:
        broker.close()
