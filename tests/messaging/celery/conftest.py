"""A broker of one's own, a database with the pantry's table, and Celery workers as real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.schema import CreateTable

from portico.composition import compose, opened
from portico.core.settings import Settings
from portico.feature import Feature
from portico.messaging.models import JobRecord
from portico.messaging.types import JobStatus
from portico.runtime import Runtime
from portico.testing import services
from tests.messaging.celery.pantry import pantry, traces

type Broker = services.Valkey | services.Rabbit

BROKERS = ["valkey", pytest.param("rabbitmq", marks=pytest.mark.amqp)]
LEASE_SECONDS = 2


@contextmanager
def broker_of(kind: str) -> Iterator[Broker]:
    try:
        server: Broker = services.Valkey() if kind == "valkey" else services.Rabbit()
    except services.ServiceMissing as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(scope="module", params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with broker_of(request.param) as server:
        yield server


@pytest.fixture
def features() -> Sequence[Feature]:
    return [pantry]


@pytest.fixture
def settings_overrides(broker: Broker) -> dict[str, Any]:
    return {"jobs": {"broker_url": broker.url}}


class Kitchen:
    """A deployment with Celery: a runtime that plays the server, and the worker's process."""

    def __init__(self, settings: Settings, folder: Path, options: Sequence[str]) -> None:
        self.settings = settings
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the worker unless it runs."""
        if self._process is not None and self._process.poll() is None:
            return
        database, jobs = self.settings.database, self.settings.jobs
        assert database.url is not None
        assert jobs.broker_url is not None
        environment = {
            **os.environ,
            "PORTICO_ENVIRONMENT": "test",
            "PORTICO_DATA_DIR": str(self.settings.data_dir),
            "PORTICO_DATABASE__URL": database.url.get_secret_value(),
            "PORTICO_DATABASE__POOL_SIZE": "4",
            "PORTICO_JOBS__BROKER_URL": jobs.broker_url.get_secret_value(),
            "PORTICO_JOBS__LEASE": str(LEASE_SECONDS),
            "PORTICO_FEATURES": '["tests.messaging.celery.pantry:pantry"]',
        }
        with (self._folder / "worker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(Path(sys.executable).parent / "portico"), "worker", *self._options],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> int:
        """End the worker as a supervisor does, and return its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    @property
    def log(self) -> str:
        return (self._folder / "worker.log").read_text()

    @contextmanager
    def patience(self) -> Iterator[None]:
        """Show the worker's log if what is inside fails."""
        try:
            yield
        except BaseException:
            sys.stderr.write(self.log[-4_000:])
            raise


async def words(runtime: Runtime) -> list[str]:
    async with runtime.reads() as session:
        return sorted(await session.scalars(select(traces.c.word)))


async def count(runtime: Runtime, status: JobStatus) -> int:
    async with runtime.reads() as session:
        statement = select(func.count()).where(JobRecord.status == status)
        return (await session.execute(statement)).scalar_one()


async def eventually(is_so: Callable[[], Any], seconds: float = 30) -> None:
    """Wait until an awaited condition holds."""
    deadline = time.monotonic() + seconds
    while not await is_so():
        assert time.monotonic() < deadline, "not in time"
        await anyio.sleep(0.05)


@pytest.fixture
async def open_kitchen(kitchen: Kitchen) -> AsyncIterator[Runtime]:
    """The runtime that plays the server, with nothing left from the test before."""
    async with opened(compose(kitchen.settings, [pantry])) as runtime:
        async with runtime.unit() as unit:
            await unit.session.execute(CreateTable(traces, if_not_exists=True))
            await unit.session.execute(traces.delete())
            await unit.session.execute(delete(JobRecord))
        yield runtime
