"""Whatever fails around a rotation, the family has exactly one live leaf or is ended (RELIABILITY P3)."""

from datetime import timedelta
from uuid import UUID

import pytest

from portico.core import failpoints
from portico.core.errors import PorticoError
from portico.core.failpoints import Failure
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.tokens.errors import RefreshTokenInvalid, RefreshTokenReplayed
from portico.tokens.services import TokenFamilies
from portico.tokens.types import RefreshToken, Rotation

pytestmark = pytest.mark.anyio

SESSION = UUID("019b8d00-0000-7000-8000-00000000000a")
IDLE, ABSOLUTE, GRACE = timedelta(days=7), timedelta(days=30), timedelta(seconds=10)
POINTS = [
    "tokens.rotate.before_write",
    "tokens.rotate.after_write",
    "db.unit.before_commit",
    "db.unit.after_commit",
]
REPLAY_POINTS = [
    "tokens.replay.before_write",
    "tokens.replay.after_write",
    "db.unit.before_commit",
    "db.unit.after_commit",
]


async def start(runtime: Runtime) -> RefreshToken:
    return await TokenFamilies(runtime, runtime.unit()).start(
        session_id=SESSION, idle=IDLE, absolute=ABSOLUTE
    )


async def rotate(runtime: Runtime, token: str) -> Rotation:
    return await TokenFamilies(runtime, runtime.unit()).rotate(token, grace=GRACE, idle=IDLE)


@pytest.mark.bar("P3", "CHECK-8")
@pytest.mark.parametrize("point", POINTS)
async def test_rotation_that_fails_leaves_one_leaf_and_the_holder_goes_on(
    runtime: Runtime, point: str
) -> None:
    token = (await rotate(runtime, await start(runtime))).refresh_token
    failpoints.armed[point] = failpoints.raising()
    with pytest.raises(Failure):
        await rotate(runtime, token)
    failpoints.armed.clear()
    family = await TokenFamilies(runtime, runtime.unit()).family_of(token)

    committed = point == "db.unit.after_commit"
    assert family.counter == (2 if committed else 1)
    assert family.is_live(runtime.clock.now())
    # The holder never got an answer and tries again with what he has: a fresh child, or the same one once more.
    again = await rotate(runtime, token)
    assert (again.outcome, again.family.counter) == ("regranted" if committed else "rotated", 2)
    assert (await rotate(runtime, again.refresh_token)).family.counter == 3


@pytest.mark.bar("P3", "CHECK-8")
@pytest.mark.parametrize("point", REPLAY_POINTS)
async def test_replay_that_fails_ends_the_family_whole_or_not_at_all(
    runtime: Runtime, clock: FrozenClock, point: str
) -> None:
    first = await start(runtime)
    child = (await rotate(runtime, first)).refresh_token
    clock.advance(GRACE)
    failpoints.armed[point] = failpoints.raising()
    with pytest.raises((Failure, PorticoError)):
        await rotate(runtime, first)
    failpoints.armed.clear()
    family = await TokenFamilies(runtime, runtime.unit()).family_of(first)

    if point == "db.unit.after_commit":
        assert family.ended_at is not None
        with pytest.raises(RefreshTokenInvalid):
            await rotate(runtime, child)
    else:
        assert family.ended_at is None
        with pytest.raises(RefreshTokenReplayed):
            await rotate(runtime, first)
        with pytest.raises(RefreshTokenInvalid):
            await rotate(runtime, child)


@pytest.mark.bar("P3")
async def test_start_that_fails_leaves_no_family(runtime: Runtime) -> None:
    failpoints.armed["db.unit.before_commit"] = failpoints.raising()
    with pytest.raises(Failure):
        await start(runtime)
    failpoints.armed.clear()

    assert await TokenFamilies(runtime, runtime.unit()).revoke(session_id=SESSION) == 0
