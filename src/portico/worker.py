"""The composition root of workers: with `app.py` the only file that knows all features.

Without a broker a worker is the server without HTTP: relay, schedules and the embedded runner. With
`PORTICO_JOBS__BROKER_URL` it is a Celery worker, each of whose processes opens a runtime of its own; the first one also
relays, makes ticks and announces.
"""

import asyncio
import os
import signal
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

import structlog

from portico.app import default_features
from portico.composition import check_schema, compose, started
from portico.core.logging import configure_logging
from portico.core.settings import Settings
from portico.feature import Feature
from portico.messaging.jobs import JobRegistry
from portico.messaging.runner import slots_of
from portico.runtime import Runtime

if TYPE_CHECKING:
    from celery import Celery

log = structlog.get_logger("portico.worker")

type Pool = Literal["threads", "prefork"]

GRACE: Final = timedelta(seconds=25)
"""How long jobs under way may take to end: less than the 30 seconds after which most supervisors kill."""
DEFAULT_THREADS: Final = 16


class UnknownQueue(ValueError):
    """No job of this release uses a queue of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a worker works. `queues` empty: all. `concurrency`: jobs at the same time, with `prefork` also processes;
    None takes 16 threads, or a process for each processor.
    """

    queues: Collection[str] = ()
    pool: Pool = "threads"
    concurrency: int | None = None
    grace: timedelta = GRACE

    @property
    def width(self) -> int:
        """Return how many jobs Celery runs at the same time."""
        return self.concurrency or (DEFAULT_THREADS if self.pool == "threads" else os.cpu_count() or 1)


def run_worker(
    settings: Settings | None = None,
    features: Sequence[Feature] | None = None,
    options: WorkerOptions | None = None,
) -> int:
    """Work until SIGTERM or SIGINT; return the exit status.

    Jobs under way may end within the grace; the rest is given back. A second signal does not wait.

    Raises:
        UnknownSettings, UnsafeSettings, SecretMissing: as `compose`.
        SchemaBehind, SchemaAhead: the database does not fit this release.
        UnknownQueue: one of the queues asked for.
    """
    settings = settings or Settings()
    chosen = default_features() if features is None else features
    options = options or WorkerOptions()
    configure_logging(settings)
    asyncio.run(_examine(settings, chosen, options))
    if settings.jobs.broker_url is None:
        asyncio.run(_work_embedded(settings, chosen, options))
        return 0
    return _work_for_celery(settings, chosen, options)


def make_celery(settings: Settings, features: Sequence[Feature], options: WorkerOptions) -> "Celery":
    """Return the Celery application of a worker, for those who start Celery themselves."""
    from portico.messaging.celery import application

    assert settings.jobs.broker_url is not None, "PORTICO_JOBS__BROKER_URL is not set"  # noqa: S101

    def open_runtime(is_first: bool) -> AbstractAsyncContextManager[Runtime]:  # noqa: FBT001
        return started(compose(settings, features), runs_jobs=False, relays=is_first)

    return application.make_celery(
        settings.jobs.broker_url.get_secret_value(),
        list(_slots(compose(settings, features), options.queues)),
        open_runtime,
        pool=options.pool,
        grace=options.grace,
    )


async def _examine(settings: Settings, features: Sequence[Feature], options: WorkerOptions) -> None:
    """Refuse at once what no waiting mends, in a runtime that is closed before any fork."""
    runtime = compose(settings, features)
    try:
        await check_schema(runtime)
        _slots(runtime, options.queues)
    finally:
        await runtime.database.close()


async def _work_embedded(settings: Settings, features: Sequence[Feature], options: WorkerOptions) -> None:
    runtime = compose(settings, features)
    slots = _slots(runtime, options.queues)
    if options.concurrency is not None:
        slots = dict.fromkeys(slots, options.concurrency)
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, _stop_or_leave, stop)
    async with started(runtime, runs_jobs=True, slots=slots, grace=options.grace):
        log.info("worker_works", queues=list(slots))
        await stop.wait()
        log.info("worker_ends", grace_seconds=options.grace.total_seconds())


def _stop_or_leave(stop: asyncio.Event) -> None:
    if stop.is_set():
        os._exit(1)  # asked twice: leases run out, and the jobs run elsewhere
    stop.set()


def _work_for_celery(settings: Settings, features: Sequence[Feature], options: WorkerOptions) -> int:
    celery = make_celery(settings, features, options)
    worker = celery.Worker(
        pool=options.pool,
        concurrency=options.width,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    log.info("worker_works", pool=options.pool, concurrency=options.width, queues=sorted(celery.amqp.queues))
    worker.start()
    return int(worker.exitcode or 0)


def _slots(runtime: Runtime, queues: Collection[str]) -> Mapping[str, int]:
    known = slots_of(runtime, runtime.get(JobRegistry))
    if unknown := set(queues) - known.keys():
        raise UnknownQueue(f"no job uses the queue {min(unknown)!r}; there are {', '.join(sorted(known))}")
    return {queue: slots for queue, slots in known.items() if not queues or queue in queues}
