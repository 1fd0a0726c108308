"""Databases inside the session's PostgreSQL: made empty or as a copy of a template, and dropped."""

import asyncio
import hashlib
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from portico.testing.services.errors import ServiceError

SECONDS_FOR_TEMPLATE = 10
ROLES_LOCK = 0x726F6C65
"""The advisory lock under which roles are made ("role" in ASCII): CREATE ROLE knows no IF NOT EXISTS."""


def with_database(url: str, name: str) -> str:
    """Return the URL with another database, and without the name of a driver."""
    parts = urlsplit(re.sub(r"^postgres(ql)?(\+\w+)?:", "postgresql:", url))
    return parts._replace(path=f"/{name}").geturl()


def with_role(url: str, role: str) -> str:
    """Return the URL for one of the roles that `make_roles` makes."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}:{_password_of(url)}@{parts.netloc.rpartition('@')[2]}").geturl()


def create(maintenance_url: str, name: str, template: str | None, owner: str | None) -> str:
    """Make the database and return its URL."""
    # Copying files takes half the time of logging every page, which nobody here would recover from.
    copy = f" TEMPLATE {_quoted(template)} STRATEGY file_copy" if template else ""
    owned = f" OWNER {_quoted(owner)}" if owner else ""
    _execute(maintenance_url, f"CREATE DATABASE {_quoted(name)}{copy}{owned}")
    return with_database(maintenance_url, name)


def make_roles(maintenance_url: str, names: Sequence[str]) -> None:
    """Make roles that may sign in and nothing else, where they are missing; several processes may do so at once."""
    made = "".join(
        f"IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN "
        f"CREATE ROLE {_quoted(name)} LOGIN PASSWORD '{_password_of(maintenance_url)}'; END IF; "
        for name in names
    )
    _execute(maintenance_url, f"DO $$ BEGIN PERFORM pg_advisory_xact_lock({ROLES_LOCK}); {made}END $$")


def drop(maintenance_url: str, name: str) -> None:
    """Drop the database if it exists, with the connections to it."""
    _execute(maintenance_url, f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _password_of(url: str) -> str:
    """Return a password that every process finds again and nobody guesses who does not know the superuser's."""
    parts = urlsplit(url)
    return hashlib.sha256(f"portico test roles {parts.password}".encode()).hexdigest()[:32]


def _execute(url: str, statement: str) -> None:
    """Run one statement in a thread, because our caller may be inside an event loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(_run(url, statement))).result()


async def _run(url: str, statement: str) -> None:
    try:
        import asyncpg
    except ModuleNotFoundError as error:
        msg = "asyncpg is not installed: pip install 'portico[postgres]'"
        raise ServiceError(msg) from error
    connection = await asyncpg.connect(with_database(url, urlsplit(url).path.strip("/") or "postgres"))
    deadline = time.monotonic() + SECONDS_FOR_TEMPLATE
    try:
        while True:
            try:
                await connection.execute(statement)
            except asyncpg.ObjectInUseError:
                # A session that has just been closed lingers in the template for a moment.
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)
            else:
                return
    finally:
        await connection.close()
