"""One Celery worker process: an event loop in a thread of its own, with the runtime in which its jobs run.

Celery calls a task in a thread or in a forked process, and knows nothing of coroutines. Each process opens its own
engines and clients, after the fork and inside the loop that uses them; all jobs of the process share that loop.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from portico.core.errors import Unavailable
from portico.messaging.runner import JobRunner
from portico.runtime import Runtime

log = structlog.get_logger("portico.jobs")

OPENING_PAUSE_SECONDS: Final = 5.0
DATABASE_PAUSE_SECONDS: Final = 1.0
CLOSING_SECONDS: Final = 20.0


class Stopping(Exception):
    """This process takes no more jobs: the announcement belongs to another one."""


type Opening = Callable[[], AbstractAsyncContextManager[Runtime]]


class WorkerProcess:
    """The loop and the runtime of this process; made before any fork, started after it."""

    def __init__(self, opening: Opening, grace: timedelta) -> None:
        self._opening = opening
        self._grace = grace
        self._thread = threading.Thread(target=self._live, name="portico-loop", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_loop = threading.Event()
        self._is_stopping = threading.Event()

    def start(self) -> None:
        """Start the loop; the runtime opens in the background, and jobs wait for it."""
        self._thread.start()
        self._has_loop.wait()

    def run(self, job_id: UUID) -> None:
        """Run an announced job to its end; called by Celery's tasks.

        Raises:
            Stopping: the process is about to end.
        """
        if self._loop is None or self._is_stopping.is_set():
            raise Stopping
        asyncio.run_coroutine_threadsafe(self._run(job_id), self._loop).result()

    def begin_stop(self) -> None:
        """Take no more jobs; after the grace those under way are cancelled and given back. Callable in any thread."""
        if self._is_stopping.is_set() or self._loop is None:
            return
        self._is_stopping.set()
        self._loop.call_soon_threadsafe(self._stopped.set)

    def stop_at_end_of(self, descriptor: int) -> None:
        """Begin to stop when the other end of a pipe is closed, be it by its process's death."""
        assert self._loop is not None  # noqa: S101 - called after `start`

        def ended() -> None:
            assert self._loop is not None  # noqa: S101
            self._loop.remove_reader(descriptor)
            self.begin_stop()

        self._loop.call_soon_threadsafe(self._loop.add_reader, descriptor, ended)

    def close(self) -> None:
        """End the loop and close what it has opened; waits for it."""
        self.begin_stop()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._closed.set)
            self._thread.join(self._grace.total_seconds() + CLOSING_SECONDS)

    def _live(self) -> None:
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._work())

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped, self._closed = asyncio.Event(), asyncio.Event()
        self._runner: asyncio.Future[JobRunner] = self._loop.create_future()
        self._has_loop.set()
        async with AsyncExitStack() as stack:
            runtime = await self._opened(stack)
            if runtime is not None:
                runner = JobRunner(runtime)
                runner.start(looks=False)
                self._runner.set_result(runner)
                await self._stopped.wait()
                await runner.stop(self._grace)
            else:
                self._runner.set_exception(Stopping())
                self._runner.exception()  # it is no matter if nobody asks
            await self._closed.wait()

    async def _opened(self, stack: AsyncExitStack) -> Runtime | None:
        """Open the runtime, again and again while it cannot be; None if the process ends meanwhile."""
        while not self._stopped.is_set():
            try:
                return await stack.enter_async_context(self._opening())
            except Exception as error:  # noqa: BLE001 - recorded, and tried again: jobs wait meanwhile
                log.warning("worker_not_open", error=f"{type(error).__name__}: {error}")
                try:
                    await asyncio.wait_for(self._stopped.wait(), OPENING_PAUSE_SECONDS)
                except TimeoutError:
                    continue
        return None

    async def _run(self, job_id: UUID) -> None:
        runner = await asyncio.shield(self._runner)
        if self._is_stopping.is_set():
            raise Stopping
        try:
            await runner.run_one(job_id)
        except Unavailable as error:
            # The row stays as it is, and is announced again. Not at full speed through all that waits.
            log.warning("job_not_claimed", job=str(job_id), error=str(error) or type(error).__name__)
            await asyncio.sleep(DATABASE_PAUSE_SECONDS)
