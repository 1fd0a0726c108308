"""A server pays only for the brokers that it has."""

import subprocess
import sys

import pytest

BROKERS = {"celery", "kombu", "faststream", "aio_pika", "nats", "aiokafka"}
PROGRAM = """
import sys
import portico.cli.serving
import portico.worker
{after}
print(*sorted(set(sys.modules) & {brokers!r}))
"""
ANNOUNCE = "import portico.messaging.celery.broker"


def imported(after: str = "") -> set[str]:
    program = PROGRAM.format(after=after, brokers=BROKERS)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_server_without_brokers_imports_none_of_their_libraries() -> None:
    assert imported() == set()


def test_server_that_announces_jobs_does_not_import_celery() -> None:
    assert imported(ANNOUNCE) == {"kombu"}


@pytest.mark.parametrize(
    ("kind", "library"),
    [("kafka", "aiokafka"), ("nats", "nats"), ("rabbit", "aio_pika"), ("redis", None)],
)
def test_publisher_imports_its_own_broker_only(kind: str, library: str | None) -> None:
    found = imported(f"import portico.messaging.publishing.{kind}")

    assert found == {"faststream", library} - {None}
