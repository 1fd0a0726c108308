"""`portico worker` without a broker: it does jobs until it is told to stop; and what `doctor` says of brokers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portico.testing import services
from tests.cli.conftest import Portico
from tests.cli.test_doctor import failing


@contextmanager
def worker(folder: Path, *options: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {f"PORTICO_{name}": value for name, value in settings.items()}
    program = str(Path(sys.executable).parent / "portico")
    with (folder / "worker.log").open("w") as log:
        process = subprocess.Popen(
            [program, "worker", *options], env=environment, cwd=folder, stdout=log, stderr=log, text=True
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(folder: Path, word: str) -> None:
    deadline = time.monotonic() + 30
    while word not in (text := (folder / "worker.log").read_text()):
        assert time.monotonic() < deadline, text
        time.sleep(0.05)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_worker_ends_when_it_is_told_to(
    portico: Portico, folder: Path, database: dict[str, str], how: signal.Signals
) -> None:
    with worker(folder, **database) as process:
        wait_for(folder, "worker_works")

        process.send_signal(how)

        assert process.wait(20) == 0


def test_worker_refuses_a_queue_that_no_job_uses(portico: Portico, database: dict[str, str]) -> None:
    outcome = portico("worker", "--queue", "nobody", **database)

    assert outcome.status == 1
    assert "no job uses the queue 'nobody'" in outcome.err


def test_worker_refuses_a_database_that_is_not_migrated(portico: Portico) -> None:
    outcome = portico("worker")

    assert outcome.status == 1
    assert "portico migrate" in outcome.err


def test_doctor_tells_of_brokers(portico: Portico, database: dict[str, str]) -> None:
    with services.Valkey() as valkey:
        outcome = portico("doctor", JOBS__BROKER_URL=valkey.url, EVENTS__BROKER_URL=valkey.url, **database)

    assert outcome.status == 0, outcome.out
    assert "of 0 jobs due, 0 are announced" in outcome.out
    assert "answers; 0 events wait for it" in outcome.out


def test_doctor_tells_of_brokers_that_are_away(portico: Portico, database: dict[str, str]) -> None:
    outcome = portico(
        "doctor",
        JOBS__BROKER_URL="amqp://someone:hunter2@127.0.0.1:1//",
        EVENTS__BROKER_URL="nats://someone:hunter2@127.0.0.1:1",
        **database,
    )

    assert outcome.status == 1
    assert {"job_broker", "event_broker"} <= set(failing(outcome.out))
    assert "hunter2" not in outcome.out + outcome.err
