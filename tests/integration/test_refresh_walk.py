"""P6: long random walks over one session, through the whole HTTP stack, against an oracle of thirty lines.

Steps: time passes, a token of any generation is presented, an answer is lost, somebody signs out, an access token is
used. The oracle says what each must be answered; where the server says something else, the walk is printed.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.integration.ground import API, SCALE, enter
from tests.integration.wire import JSON, Answer, ask
from tests.sessions.people import FAST_HASHES, add_person

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

WALKS, STEPS, AFTERMATH = 24 * SCALE, 50, 5
IDLE, ABSOLUTE, ACCESS = timedelta(days=7), timedelta(days=30), timedelta(minutes=15)
PASSING = (
    timedelta(seconds=1), timedelta(seconds=4), timedelta(seconds=9.99), timedelta(seconds=10), timedelta(minutes=14),
    timedelta(minutes=16), timedelta(days=1), timedelta(days=6.9),
)  # fmt: skip


@pytest.fixture(params=[10, 0], ids=["grace", "no grace"])
def grace(request: pytest.FixtureRequest) -> timedelta:
    return timedelta(seconds=request.param)


@pytest.fixture
def settings_overrides(grace: timedelta) -> dict[str, Any]:
    return {
        "credentials": FAST_HASHES,
        "sessions": {"refresh_grace_seconds": int(grace.total_seconds())},
        "logging": {"access": False},
    }


@dataclass(slots=True)
class Oracle:
    """What must be true of one session."""

    grace: timedelta
    started_at: datetime
    rotated_at: datetime
    counter: int = 0
    is_live: bool = True

    def has_expired(self, now: datetime) -> bool:
        return now >= self.rotated_at + IDLE or now >= self.started_at + ABSOLUTE

    def present(self, generation: int, now: datetime) -> str:
        """Return what presenting a token leads to: rotated, regranted, replayed or invalid."""
        if not self.is_live or self.has_expired(now):
            return "invalid"
        if generation == self.counter:
            self.counter, self.rotated_at = self.counter + 1, now
            return "rotated"
        if generation == self.counter - 1 and now - self.rotated_at < self.grace:
            return "regranted"
        self.is_live = False
        return "replayed"

    def lets_in(self, minted_at: datetime, now: datetime) -> bool:
        """Tell whether an access token is good."""
        return self.is_live and not self.has_expired(now) and now < minted_at + ACCESS


@dataclass(slots=True)
class Walk:
    """One session on its way."""

    app: FastAPI
    clock: FrozenClock
    chance: random.Random
    oracle: Oracle
    tokens: list[str]
    access: list[tuple[str, datetime]]
    trace: list[str] = field(default_factory=list)

    async def step(self) -> None:
        """Do something, by chance."""
        steps: Sequence[Callable[[], Awaitable[None]]] = (
            self.wait,
            self.refresh,
            self.use,
            self.race,
            self.look_back,
        )
        weights = (4, 7, 4, 3, 2)
        await self.chance.choices(steps, weights)[0]()

    async def wait(self) -> None:
        passing = self.chance.choices(PASSING, (12, 8, 4, 4, 3, 3, 1, 1))[0]
        self.clock.advance(passing)
        self.trace.append(f"{passing} pass")

    async def refresh(self) -> None:
        await self._present(len(self.tokens) - 1)

    async def race(self) -> None:
        """Present the parent of the newest, as the loser of a race or of a reply does."""
        await self._present(max(0, len(self.tokens) - 2))

    async def look_back(self) -> None:
        """Present any ancestor, or sign out with one, once in a while."""
        generation = self.chance.randrange(len(self.tokens))
        if self.chance.random() < 0.5:
            await self._present(generation)
            return
        answer = await self._post("/auth/logout", self.tokens[generation])
        self._expect(answer, 204, f"sign out with {generation}")
        self.oracle.is_live = False

    async def use(self) -> None:
        token, minted_at = self.chance.choice(self.access)
        answer = await ask(self.app, "GET", f"{API}/users/me", headers={"Authorization": f"Bearer {token}"})
        good = self.oracle.lets_in(minted_at, self.clock.now())
        self._expect(answer, 200 if good else 401, "use an access token")

    async def _present(self, generation: int) -> None:
        now = self.clock.now()
        answer = await self._post("/auth/refresh", self.tokens[generation])
        outcome = self.oracle.present(generation, now)
        told = f"present {generation}: {outcome}"
        self._expect(answer, 200 if outcome in {"rotated", "regranted"} else 401, told)
        if answer.status_code != 200:
            code = "refresh_token_reused" if outcome == "replayed" else "refresh_token_invalid"
            assert answer.json()["code"] == code, self._told(told, answer)
            return
        child = answer.json()["refresh_token"]
        if outcome == "rotated":
            self.tokens.append(child)
        assert child == self.tokens[self.oracle.counter], self._told(told, answer)
        self.access.append((answer.json()["access_token"], now))

    async def _post(self, path: str, token: str) -> Answer:
        return await ask(
            self.app, "POST", API + path, headers=JSON, body=f'{{"refresh_token": "{token}"}}'.encode()
        )

    def _expect(self, answer: Answer, status: int, told: str) -> None:
        self.trace.append(told)
        assert answer.status_code == status, self._told(told, answer)

    def _told(self, told: str, answer: Answer) -> str:
        return "\n".join([*self.trace, f"{told}: {answer.status_code} {answer.text}"])


@pytest.mark.bar("P6", "CHECK-8", "R9", "ASVS-7.3.1", "ASVS-7.3.2", "ASVS-10.4.8")
async def test_every_step_is_answered_as_the_oracle_says(
    app: FastAPI, runtime: Runtime, clock: FrozenClock, grace: timedelta
) -> None:
    account = await add_person(runtime, "ada@example.org")
    chance, ended = random.Random(20261120), 0
    for _ in range(WALKS):
        person, now = await enter(runtime, account, at_pages=False), clock.now()
        oracle = Oracle(grace, started_at=now, rotated_at=now)
        walk = Walk(app, clock, chance, oracle, [person.refresh_token], [(person.access_token, now)])
        while oracle.is_live and len(walk.trace) < STEPS:
            await walk.step()
        for _ in range(AFTERMATH):
            await walk.step()
        ended += not oracle.is_live

    assert 0 < ended <= WALKS
