"""Real servers for tests: PostgreSQL 18, Valkey and NATS, from wheels, without Docker and without set-up; and
RabbitMQ, from Debian's packages.

The functions give the one server that all processes of a test session share (the workers of pytest-xdist, and
what tests start). It is started at the first call and ended with the last process that asked for it, also
after Ctrl-C or `kill -9`. `PORTICO_TEST_POSTGRES_URL`, `PORTICO_TEST_REDIS_URL`, `PORTICO_TEST_NATS_URL` and
`PORTICO_TEST_AMQP_URL` name servers to use instead.

The classes are servers of one's own, as context managers, for tests that stop, freeze or crash them.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from portico.testing.services import databases, sharing
from portico.testing.services.errors import ServiceError, ServiceMissing
from portico.testing.services.servers import Nats, Postgres, Rabbit, StopMode, Valkey

__all__ = [
    "Nats",
    "Postgres",
    "Rabbit",
    "Roles",
    "ServiceError",
    "ServiceMissing",
    "StopMode",
    "Valkey",
    "amqp_url",
    "as_role",
    "as_superuser",
    "create_database",
    "database_roles",
    "drop_database",
    "durable_postgres",
    "nats_url",
    "postgres_url",
    "redis_url",
]


OWNER, APPLICATION = "portico_test_owner", "portico_test_application"


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of two roles of PostgreSQL: who migrates, and who serves."""

    owner: str
    application: str


def postgres_url() -> str:
    """Return the maintenance database of the session's PostgreSQL, as superuser: `postgresql://…/postgres`."""
    return os.environ.get("PORTICO_TEST_POSTGRES_URL") or sharing.shared(Postgres).url


def create_database(name: str, template: str | None = None, owner: str | None = None) -> str:
    """Create a database in the session's PostgreSQL, empty or as a copy (about 60 ms), and return its URL.

    Nobody may be connected to the template meanwhile. May be called inside an event loop, which it blocks.
    """
    return databases.create(postgres_url(), name, template, owner)


@cache
def database_roles() -> Roles:
    """Return two roles of the session's PostgreSQL that are no superusers: one to own tables, one to serve.

    They are made where they are missing, which takes a superuser or a role that may create roles.
    """
    databases.make_roles(postgres_url(), (OWNER, APPLICATION))
    return Roles(OWNER, APPLICATION)


def as_role(url: str, role: str) -> str:
    """Return the URL of a database for one of `database_roles`."""
    return databases.with_role(url, role)


def as_superuser(url: str) -> str:
    """Return the URL of a database of the session's PostgreSQL for the superuser, whom no wall binds."""
    return databases.with_database(postgres_url(), urlsplit(url).path.removeprefix("/"))


def drop_database(name: str) -> None:
    """Drop a database of the session's PostgreSQL if it exists, and cut the connections to it."""
    databases.drop(postgres_url(), name)


def redis_url(database: int = 0) -> str:
    """Return one of the 64 numbered databases of the session's Valkey: `redis://…/0`."""
    url = os.environ.get("PORTICO_TEST_REDIS_URL") or sharing.shared(Valkey).url
    return urlsplit(url)._replace(path=f"/{database}").geturl()


def nats_url() -> str:
    """Return the session's NATS with JetStream: `nats://…`."""
    return os.environ.get("PORTICO_TEST_NATS_URL") or sharing.shared(Nats).url


def amqp_url() -> str:
    """Return the session's RabbitMQ: `amqp://…`.

    Raises:
        ServiceMissing: it is not installed and cannot be downloaded; a reason to skip.
    """
    return os.environ.get("PORTICO_TEST_AMQP_URL") or sharing.shared(Rabbit).url


@contextmanager
def durable_postgres(settings: Mapping[str, str] | None = None) -> Iterator[Postgres]:
    """Run a PostgreSQL of one's own that waits for the disk at each commit, for benchmarks and faults."""
    with Postgres(durable=True, settings=settings) as server:
        yield server
