"""A trail to write on, and what follows it."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import select

from portico.access.services import Grants
from portico.access.types import PlatformRole
from portico.alerts.models import Alert, AlertCounter
from portico.alerts.services import Following
from portico.audit.services import record
from portico.audit.services.sequencing import Sequencer
from portico.audit.types import Outcome
from portico.core.context import RequestContext, set_current_request
from portico.runtime import Runtime
from tests.sessions.people import FAST_HASHES, SignedInPerson, add_person, sign_in

type Follow = Callable[[], Awaitable[int]]


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": FAST_HASHES, "logging": {"access": False}}


@pytest.fixture
def follow(runtime: Runtime) -> Follow:
    """Return what chains all that waits and lets the rules hear it."""

    async def chain_and_hear() -> int:
        await Sequencer(runtime).run()
        return await Following(runtime).run()

    return chain_and_hear


async def write(runtime: Runtime, action: str, *, address: str | None = None, **facts: Any) -> UUID:
    """Put one entry on the trail, as if the request came from `address`."""
    set_current_request(RequestContext(request_id="test", client_address=address))
    async with (unit := runtime.unit()):
        return record(runtime, unit, action, **facts)


async def refuse_password(runtime: Runtime, user_id: UUID | None, *, address: str = "192.0.2.1") -> UUID:
    """Put a wrong password on the trail."""
    subject = ("user", user_id) if user_id else None
    reason = "wrong_password" if user_id else "unknown_name"
    return await write(
        runtime,
        "password.refused",
        address=address,
        outcome=Outcome.REFUSED,
        subject=subject,
        reason=reason,
    )


async def alerts_of(runtime: Runtime, rule: str | None = None) -> list[Alert]:
    """Return the alerts, the first raised first."""
    async with runtime.reads() as session:
        query = select(Alert).order_by(Alert.id)
        if rule is not None:
            query = query.where(Alert.rule == rule)
        return list(await session.scalars(query))


async def counters_of(runtime: Runtime) -> list[AlertCounter]:
    async with runtime.reads() as session:
        return list(await session.scalars(select(AlertCounter)))


class Caller:
    """Somebody who is signed in."""

    def __init__(self, user_id: UUID, address: str, signed_in: SignedInPerson) -> None:
        self.id = user_id
        self.address = address
        self._signed_in = signed_in

    async def get(self, path: str, **query: Any) -> httpx2.Response:
        return await self._signed_in.request("GET", path, params=query)

    async def post(self, path: str, **body: Any) -> httpx2.Response:
        return await self._signed_in.request("POST", path, json=body)


type Enter = Callable[..., Awaitable[Caller]]


@pytest.fixture
def enter(runtime: Runtime, client: httpx2.AsyncClient) -> Enter:
    """Return what makes people who are signed in, with platform roles if any are named."""

    async def make(name: str, *roles: PlatformRole) -> Caller:
        address = f"{name}@example.org"
        account = await add_person(runtime, address)
        async with (unit := runtime.unit()):
            for role in roles:
                await Grants(runtime, unit).grant_role(account.id, role)
        return Caller(account.id, address, await sign_in(client, address))

    return make
