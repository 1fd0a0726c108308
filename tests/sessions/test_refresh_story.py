"""P6 through the HTTP API: random stories of refreshing, replaying, losing answers and signing out, against a model.

The engine alone is modelled in `tests/tokens`; here the whole request is, with session, access tokens and cache.
"""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx2
import pytest

from portico.runtime import Runtime
from portico.sessions.services import Sessions
from portico.sessions.types import SessionEnd
from portico.testing.clock import FrozenClock
from portico.users.types import Account
from tests.sessions.people import SignedInPerson, refresh, sign_in

pytestmark = pytest.mark.anyio

STEPS = 40
GRACE = timedelta(seconds=10)
ACCESS_TTL = timedelta(minutes=15)
TICKS = (timedelta(seconds=1), timedelta(seconds=4), timedelta(seconds=11), timedelta(minutes=9))


@dataclass
class Model:
    """What must be true of one session. `known` are the refresh tokens that the client holds, by generation."""

    known: dict[int, str]
    access: list[tuple[str, datetime]]
    counter: int = 0
    rotated_at: datetime | None = None
    is_alive: bool = True
    log: list[str] = field(default_factory=list)

    def expects(self, generation: int, now: datetime) -> bool:
        """Tell whether presenting this generation succeeds, and note what follows from it."""
        if not self.is_alive:
            return False
        if generation == self.counter:
            self.counter, self.rotated_at = self.counter + 1, now
            return True
        is_parent = generation == self.counter - 1
        if is_parent and self.rotated_at is not None and now - self.rotated_at < GRACE:
            return True
        self.is_alive = False
        return False


@pytest.mark.bar("P6", "CHECK-8", "R9")
@pytest.mark.parametrize("seed", range(4))
async def test_random_stories(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account, clock: FrozenClock, seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(3):
        person = await sign_in(client)
        model = Model({0: person.refresh_token}, [(person.access_token, clock.now() + ACCESS_TTL)])
        for _ in range(STEPS // 3):
            await _step(chance=chance, runtime=runtime, client=client, ada=ada, clock=clock, model=model)
            await _check(client, clock, model)


async def _step(
    *,
    chance: random.Random,
    runtime: Runtime,
    client: httpx2.AsyncClient,
    ada: Account,
    clock: FrozenClock,
    model: Model,
) -> None:
    act = chance.choices(("tick", "refresh", "lose", "replay", "revoke"), (4, 6, 2, 1, 0.3))[0]
    model.log.append(act)
    if act == "tick":
        clock.advance(chance.choice(TICKS))
    elif act == "revoke":
        await Sessions(runtime, runtime.unit()).end_sessions_of(ada.id, SessionEnd.REVOKED)
        model.is_alive = False
    else:
        newest = max(model.known)
        generation = chance.choice(sorted(model.known)) if act == "replay" else newest
        await _present(client, clock, model, generation, keeps_answer=act != "lose")


async def _present(
    client: httpx2.AsyncClient, clock: FrozenClock, model: Model, generation: int, *, keeps_answer: bool
) -> None:
    expected = model.expects(generation, clock.now())

    answer = await refresh(client, model.known[generation])

    assert (answer.status_code == 200) is expected, (model, generation, answer.text)
    if answer.status_code == 200 and keeps_answer:
        body = answer.json()
        known = model.known.setdefault(model.counter, body["refresh_token"])
        assert known == body["refresh_token"]
        model.access.append((body["access_token"], clock.now() + ACCESS_TTL))


async def _check(client: httpx2.AsyncClient, clock: FrozenClock, model: Model) -> None:
    """Every access token ever given is good if, and only if, the session lives and its time is not over."""
    for token, expires_at in model.access[-3:]:
        answer = await SignedInPerson(client, token, "").who_am_i()
        good = model.is_alive and clock.now() < expires_at
        assert (answer.status_code == 200) is good, model
