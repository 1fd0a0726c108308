"""The Celery application of a worker: one task, which runs the job whose id it is given.

Signals tie it to the worker's life: the runtime opens after the fork, and SIGTERM lets jobs under way end.
"""

import logging
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, Final, Literal
from uuid import UUID

from billiard.process import current_process
from celery import Celery, signals
from celery.exceptions import Reject

from portico.messaging.celery.process import Stopping, WorkerProcess
from portico.messaging.celery.wire import CONNECT_SECONDS, TASK, transport_options, wire_queue
from portico.runtime import Runtime

type Pool = Literal["threads", "prefork"]
type OpenRuntime = Callable[[bool], AbstractAsyncContextManager[Runtime]]
"""Opens the runtime of a process; the first process of a worker also relays, ticks and announces."""

PREFETCH: Final = 2
"""Messages that each slot of a worker has in hand: the one under way and the next."""


def make_celery(
    broker_url: str, queues: Iterable[str], open_runtime: OpenRuntime, *, pool: Pool, grace: timedelta
) -> Celery:
    """Return the application of a worker that takes the jobs of `queues`; nothing is opened yet."""
    app = Celery("portico", set_as_current=False)
    wired = [wire_queue(queue) for queue in queues]
    app.conf.update(
        broker_url=broker_url,
        broker_transport_options=_worker_options(broker_url),
        broker_connection_timeout=CONNECT_SECONDS,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_queues=wired,
        task_default_queue=wired[0].name,
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        result_backend=None,
        task_ignore_result=True,
        # Acknowledged when the job has ended. What a lost worker held comes again, and finds its row taken or over.
        task_acks_late=True,
        worker_prefetch_multiplier=PREFETCH,
        # A job goes on when the broker goes away: its row says how it ended.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    life = _WorkerLife(open_runtime, pool, grace)
    life.connect()

    @app.task(name=TASK)  # type: ignore[untyped-decorator]  # Celery has no types
    def run_job(job_id: str) -> None:
        try:
            life.process.run(UUID(job_id))
        except Stopping:
            raise Reject("this worker ends", requeue=True) from None

    app.finalize()
    app.portico_life = life  # signals hold their receivers weakly
    return app


def _worker_options(broker_url: str) -> dict[str, Any]:
    """Return the transport's options for consumers, who wait for messages without a limit."""
    options = transport_options(broker_url)
    options.pop("read_timeout", None)
    return options


class _WorkerLife:
    """Starts and ends the event loop where Celery's pool wants it: in each child, or in the one process."""

    def __init__(self, open_runtime: OpenRuntime, pool: Pool, grace: timedelta) -> None:
        self._open_runtime = open_runtime
        self._pool = pool
        self._grace = grace
        self._pipe = os.pipe()
        """Its end tells the children to stop: when the parent closes it, and when the parent dies."""
        self.process = self._made(is_first=True)

    def connect(self) -> None:
        """Hear Celery's signals."""
        signals.setup_logging.connect(self._keep_logging)
        signals.worker_shutting_down.connect(self._begin_stop)
        if self._pool == "threads":
            signals.worker_init.connect(self._start)
            signals.worker_shutdown.connect(self._close)
        else:
            signals.worker_process_init.connect(self._start_child)
            signals.worker_process_shutdown.connect(self._close)

    def _made(self, *, is_first: bool) -> WorkerProcess:
        return WorkerProcess(lambda: self._open_runtime(is_first), self._grace)

    def _keep_logging(self, **_: Any) -> None:
        """Keep Celery from setting up logs of its own, by hearing this signal, and from telling of every message."""
        for name in ("celery.worker.strategy", "celery.app.trace"):
            logging.getLogger(name).setLevel(logging.WARNING)

    def _start(self, **_: Any) -> None:
        self.process.start()

    def _start_child(self, **_: Any) -> None:
        os.close(self._pipe[1])
        self.process = self._made(is_first=getattr(current_process(), "index", 0) == 0)
        self.process.start()
        self.process.stop_at_end_of(self._pipe[0])

    def _begin_stop(self, **_: Any) -> None:
        if self._pool == "threads":
            self.process.begin_stop()
        else:
            os.close(self._pipe[1])

    def _close(self, **_: Any) -> None:
        self.process.close()
