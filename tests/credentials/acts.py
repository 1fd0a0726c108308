"""What tests of people do in one line."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import event, func, select

from portico.audit.models import AuditEntry
from portico.core.context import RequestContext, set_current_request
from portico.credentials.passwords import Passwords
from portico.credentials.services import NewRegistration, PasswordProofs, Registration
from portico.credentials.types import Verified
from portico.db.base import Base
from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from portico.runtime import Runtime
from portico.users.addresses import parse_address
from portico.users.services import Users
from portico.users.types import Account
from portico.users.usernames import parse_username

ADA = "ada@example.com"
PASSWORD = "correct horse battery staple"
OTHER_PASSWORD = "paper clip orange thunder"


CHEAP = {"argon2_memory_kib": 8192, "argon2_passes": 1}
"""Hashes that cost little; what they cost is tested where it matters."""


def under(**settings: dict[str, Any]) -> pytest.MarkDecorator:
    """Run the test under these settings."""
    both = {**settings, "credentials": {**CHEAP, **settings.get("credentials", {})}}
    return pytest.mark.parametrize("settings_overrides", [both], ids=[""])


def wish(
    email: str = ADA, password: str = PASSWORD, *, username: str | None = None, **more: Any
) -> NewRegistration:
    """Return what somebody wants who signs up."""
    name = parse_username(username) if username else None
    return NewRegistration(email=parse_address(email), password=password, username=name, **more)


async def register(runtime: Runtime, email: str = ADA, password: str = PASSWORD, **more: Any) -> Account:
    """Sign somebody up and return the account, also where the answer tells nothing."""
    await Registration(runtime, runtime.unit()).register(wish(email, password, **more))
    return await account_of(runtime, email)


async def account_of(runtime: Runtime, email: str = ADA) -> Account:
    """Return the living person with the address."""
    account = await Users(runtime, runtime.unit()).find_by_email(parse_address(email))
    assert account is not None
    return account


async def knows_password(runtime: Runtime, identifier: str, password: str) -> bool:
    """Tell whether the password is the person's, without counting a guess."""
    account = await Users(runtime, runtime.unit()).find_by_identifier(identifier)
    if account is None:
        return False
    async with runtime.reads() as session:
        from portico.credentials.repositories import PasswordRepository

        stored = await PasswordRepository(session).find_hash(account.id)
    return (await runtime.get(Passwords).verify(stored, password)).ok


async def sign_in(runtime: Runtime, identifier: str, password: str) -> Account:
    """Prove a password and let the proof count, as signing in does."""
    unit = runtime.unit()
    account = await Users(runtime, unit).find_by_identifier(identifier)
    proofs = PasswordProofs(runtime, unit)
    proof = await proofs.prove(account, identifier, password)
    async with unit:
        await proofs.accept(proof)
    return proof.account


def principal_of(account: Account, **more: Any) -> Principal:
    """Return the person as the caller of a request."""
    return Principal(id=account.id, kind=PrincipalKind.USER, credential=CredentialKind.BEARER, **more)


@contextmanager
def on_device(cookie: str | None) -> Iterator[None]:
    """Act as a request that carries this device cookie."""
    set_current_request(RequestContext(request_id="test", device_cookie=cookie, client_address="192.0.2.1"))
    try:
        yield
    finally:
        set_current_request(RequestContext(request_id="-"))


async def count(runtime: Runtime, model: type[Base]) -> int:
    """Return how many rows a table has."""
    async with runtime.reads() as session:
        return (await session.scalar(select(func.count()).select_from(model))) or 0


async def trail(runtime: Runtime) -> list[tuple[str, str, str | None]]:
    """Return action, outcome and reason of what is on the trail, in order."""
    async with runtime.reads() as session:
        rows = await session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [(row.action, row.outcome.value, row.reason) for row in rows]


@dataclass
class Work:
    """What a piece of code did: statements by their first words, hashes, commits."""

    statements: list[str] = field(default_factory=list)
    hashes: int = 0

    @property
    def shape(self) -> tuple[list[str], int]:
        """Return what two branches must have in common."""
        return self.statements, self.hashes


@asynccontextmanager
async def measured(runtime: Runtime) -> AsyncIterator[Work]:
    """Count statements, savepoints, commits and hashes inside the block."""
    work = Work()
    engines = [runtime.database.writer.sync_engine, runtime.database.reader.sync_engine]

    def executed(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        work.statements.append(" ".join(statement.split()[:3]))

    def noted(name: str) -> Any:
        def listener(*args: Any) -> None:
            work.statements.append(name)

        return listener

    listeners = [("before_cursor_execute", executed)]
    listeners += [
        (name, noted(name))
        for name in ("commit", "rollback", "savepoint", "rollback_savepoint", "release_savepoint")
    ]
    counting = _Counting(runtime.get(Passwords), work)
    for engine in engines:
        for name, listener in listeners:
            event.listen(engine, name, listener)
    runtime.provide(Passwords, counting)
    try:
        yield work
    finally:
        runtime.provide(Passwords, counting.real)
        for engine in engines:
            for name, listener in listeners:
                event.remove(engine, name, listener)


class _Counting:
    """Counts, and lets the real hasher do the work."""

    def __init__(self, real: Passwords, work: Work) -> None:
        self.real = real
        self._work = work

    async def hash(self, password: str) -> str:
        self._work.hashes += 1
        return await self.real.hash(password)

    async def verify(self, password_hash: str | None, password: str) -> Verified:
        self._work.hashes += 1
        return await self.real.verify(password_hash, password)

    async def close(self) -> None:
        await self.real.close()
