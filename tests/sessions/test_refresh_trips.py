"""A refresh in one trip and a refresh in a unit of work decide alike, write alike, and see an ending alike."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from portico.core import failpoints
from portico.runtime import Runtime
from portico.sessions.models import Session
from portico.sessions.services.session_tokens import POINTS_BETWEEN
from portico.testing.clock import FrozenClock
from portico.tokens.models import TokenFamily
from portico.tokens.types import FamilyEnd
from portico.users.models import User
from portico.users.types import UserStatus
from tests.sessions.people import SignedInPerson, rows_of

pytestmark = pytest.mark.anyio

type SignIn = Callable[[], Awaitable[SignedInPerson]]
type Change = tuple[type[Any], dict[str, Any]]

PAST = timedelta(seconds=-1)
BAD: dict[str, Change] = {
    "the family was rotated before": (TokenFamily, {"counter": 5}),
    "the family has ended": (TokenFamily, {"ended_at": PAST, "ended_reason": FamilyEnd.REVOKED}),
    "the family rested too long": (TokenFamily, {"idle_expires_at": PAST}),
    "the family is too old": (TokenFamily, {"absolute_expires_at": PAST}),
    "the family is a grant's": (TokenFamily, {"session_id": None}),
    "the session has ended": (Session, {"ended_at": PAST}),
    "the session rested too long": (Session, {"idle_expires_at": PAST}),
    "the session is too old": (Session, {"absolute_expires_at": PAST}),
    "the person is switched off": (User, {"status": UserStatus.DEACTIVATED}),
    "the person is deleted": (User, {"deleted_at": PAST}),
}


async def _nothing(_: str) -> None:
    return


@pytest.fixture(params=["one trip", "a unit"])
def way(request: pytest.FixtureRequest) -> Any:
    """Send refreshes either way: a failpoint between the statements, armed with nothing, asks for the unit."""
    if request.param == "a unit":
        failpoints.armed["sessions.refresh.after_rotation"] = _nothing
    yield request.param
    failpoints.armed.clear()


async def _change(runtime: Runtime, change: Change) -> None:
    model, values = change
    now = runtime.clock.now()
    written = {name: now + value if isinstance(value, timedelta) else value for name, value in values.items()}
    async with runtime.unit() as unit:
        await unit.session.execute(update(model).values(**written))


async def _state(runtime: Runtime) -> tuple[Any, ...]:
    [family], [session] = await rows_of(runtime, TokenFamily), await rows_of(runtime, Session)
    return (
        family.counter, family.rotated_at, family.idle_expires_at, family.absolute_expires_at,
        session.last_seen_at, session.idle_expires_at, session.absolute_expires_at,
    )  # fmt: skip


@pytest.mark.bar("P5", "ASVS-10.4.5")
async def test_a_good_token_moves_family_and_session_either_way(
    runtime: Runtime, clock: FrozenClock, signed_in: SignIn, way: str
) -> None:
    person = await signed_in()
    counter, _, _, family_end, _, _, session_end = await _state(runtime)
    clock.advance(timedelta(hours=1))

    answer = await person.refresh()

    now, idle = clock.now(), clock.now() + timedelta(days=7)
    assert answer.status_code == 200
    assert await _state(runtime) == (counter + 1, now, idle, family_end, now, idle, session_end)


@pytest.mark.bar("CVE-2023-22492", "CVE-2026-43983", "P3")
@pytest.mark.parametrize("case", BAD)
async def test_whatever_is_wrong_refuses_and_rotates_nothing_either_way(
    runtime: Runtime, signed_in: SignIn, way: str, case: str
) -> None:
    person = await signed_in()
    await _change(runtime, BAD[case])
    before = await _state(runtime)

    answer = await person.refresh()

    assert answer.status_code == 401
    assert await _state(runtime) == before


@pytest.mark.bar("P5", "P6", "ASVS-7.4.1")
async def test_a_refresh_that_meets_an_ending_waits_and_then_rotates_nothing(
    runtime: Runtime, signed_in: SignIn, way: str
) -> None:
    """The refresh began while session and person were good: what it asked beside the family is out of date."""
    person = await signed_in()
    async with runtime.unit() as unit:
        now = runtime.clock.now()
        await unit.session.execute(update(TokenFamily).values(ended_at=now, ended_reason=FamilyEnd.REVOKED))
        refreshing = asyncio.create_task(person.refresh())
        await asyncio.sleep(0.2)
        assert not refreshing.done()
        await unit.session.execute(update(Session).values(ended_at=now))

    assert (await refreshing).status_code == 401
    [family] = await rows_of(runtime, TokenFamily)
    assert family.counter == 0


async def test_failpoints_between_the_statements_are_those_of_the_unit(
    runtime: Runtime, signed_in: SignIn
) -> None:
    reached: list[str] = []

    async def note(name: str) -> None:
        reached.append(name)

    person = await signed_in()
    for point in POINTS_BETWEEN:
        failpoints.armed[point] = note
    try:
        assert (await person.refresh()).status_code == 200
    finally:
        failpoints.armed.clear()

    assert set(reached) == POINTS_BETWEEN
