"""Any sequence of refreshes, replays, lost answers, revocations and waits, against an oracle of a few lines (P6).

`PORTICO_TEST_MODEL_RUNS` and `PORTICO_TEST_MODEL_STEPS` scale it; the full run is 20000 of 50 steps. A failure is made
small only there, because that takes minutes.
"""

import asyncio
import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings as hypothesis_settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from portico.composition import compose
from portico.core.errors import PorticoError
from portico.core.ids import new_id
from portico.core.settings import Settings
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.tokens.events import RefreshTokenReused
from portico.tokens.services import TokenFamilies

IS_FULL = "PORTICO_TEST_MODEL_RUNS" in os.environ
SCALE = hypothesis_settings(
    max_examples=int(os.environ.get("PORTICO_TEST_MODEL_RUNS", "80")),
    stateful_step_count=int(os.environ.get("PORTICO_TEST_MODEL_STEPS", "25")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=tuple(Phase) if IS_FULL else (Phase.reuse, Phase.generate),
)
IDLE, ABSOLUTE = timedelta(seconds=90), timedelta(seconds=300)
GRACES = [timedelta(0), timedelta(seconds=10)]


@dataclass
class Oracle:
    """What should be true, without database, MAC or race."""

    now: datetime
    grace: timedelta
    leaf: int = 0
    rotated_at: datetime = field(init=False)
    idle_until: datetime = field(init=False)
    dies_at: datetime = field(init=False)
    ended: bool = False
    replays: int = 0

    def __post_init__(self) -> None:
        self.rotated_at = self.now
        self.idle_until = self.now + IDLE
        self.dies_at = self.now + ABSOLUTE

    @property
    def is_over(self) -> bool:
        """Tell whether nothing can be presented any more."""
        return self.ended or self.now >= self.idle_until or self.now >= self.dies_at

    def present(self, generation: int) -> str:
        """Return the answer to one token, and change what it changes."""
        if self.is_over:
            return "refresh_token_invalid"
        if generation == self.leaf:
            self.leaf, self.rotated_at, self.idle_until = self.leaf + 1, self.now, self.now + IDLE
            return "rotated"
        if generation == self.leaf - 1 and self.now < self.rotated_at + self.grace:
            return "regranted"
        self.ended, self.replays = True, self.replays + 1
        return "refresh_token_reused"


@dataclass(frozen=True, slots=True)
class World:
    """What a run of the model plays in: one runtime for all runs, and its event loop."""

    runtime: Runtime
    clock: FrozenClock
    reused: list[RefreshTokenReused]
    runner: asyncio.Runner

    @property
    def families(self) -> TokenFamilies:
        """The engine, on a unit of work of its own."""
        return TokenFamilies(self.runtime, self.runtime.unit())


class Refreshing(RuleBasedStateMachine):
    """Server and oracle side by side; each run has a family of its own."""

    world: World

    @initialize(grace=st.sampled_from(GRACES))
    def begin(self, grace: timedelta) -> None:
        self.start(grace)

    def start(self, grace: timedelta) -> None:
        self.world.reused.clear()
        self.session_id = new_id()
        self.oracle = Oracle(self.world.clock.now(), grace)
        start = self.world.families.start(session_id=self.session_id, idle=IDLE, absolute=ABSOLUTE)
        self.tokens = [self.world.runner.run(start)]
        self.held = 0
        self.tries_after_the_end = 0

    @property
    def is_worth_a_try(self) -> bool:
        """A family that is over is tried twice, and then left for a new one: most of a run is spent on living ones."""
        return self.tries_after_the_end < 2

    @precondition(lambda self: self.oracle.is_over)
    @rule()
    def sign_in_again(self) -> None:
        self.start(self.oracle.grace)

    def present(self, generation: int) -> str:
        self.tries_after_the_end += self.oracle.is_over
        rotate = self.world.families.rotate(self.tokens[generation], grace=self.oracle.grace, idle=IDLE)
        try:
            rotation = self.world.runner.run(rotate)
        except PorticoError as refused:
            return refused.code
        if len(self.tokens) == generation + 1:
            self.tokens.append(rotation.refresh_token)
        assert rotation.refresh_token == self.tokens[generation + 1], "a second child of one parent"
        return rotation.outcome.value

    @precondition(lambda self: self.is_worth_a_try)
    @rule()
    def refresh(self) -> None:
        answer = self.present(self.held)

        assert answer == self.oracle.present(self.held)
        if answer in {"rotated", "regranted"}:
            self.held += 1

    @precondition(lambda self: self.is_worth_a_try)
    @rule()
    def lose_the_answer(self) -> None:
        """The server rotates and the client never hears of it: it still holds what it held."""
        assert self.present(self.held) == self.oracle.present(self.held)

    @precondition(lambda self: self.is_worth_a_try)
    @rule(back=st.sampled_from([0, 1, 1, 2, 3]))
    def replay(self, back: int) -> None:
        """Present an ancestor, the recent ones more often than those of the beginning."""
        generation = max(0, len(self.tokens) - 1 - back)

        assert self.present(generation) == self.oracle.present(generation)

    @rule(seconds=st.sampled_from([0.001, 1, 5, 9.999, 10, 11, 60]))
    def tick(self, seconds: float) -> None:
        self.world.clock.advance(timedelta(seconds=seconds))
        self.oracle.now = self.world.clock.now()

    @precondition(lambda self: len(self.tokens) > 1)
    @rule(seconds=st.sampled_from([None, 89.999, 90, 300]))
    def revoke_or_wait_long(self, seconds: float | None) -> None:
        if seconds is not None:
            self.tick(seconds)
            return
        self.world.runner.run(self.world.families.revoke(session_id=self.session_id))
        self.oracle.ended = True

    @invariant()
    def row_and_announcements_agree(self) -> None:
        family = self.world.runner.run(self.world.families.family_of(self.tokens[0]))

        assert family.counter == self.oracle.leaf
        assert (family.ended_at is not None) == self.oracle.ended
        assert len(self.world.reused) == self.oracle.replays


@pytest.mark.bar("P6", "CHECK-8", "DOT-1617")
@pytest.mark.timeout(0 if IS_FULL else 60)
def test_family_behaves_as_the_oracle_says(
    settings: Settings, features: list[Feature], reused: list[RefreshTokenReused]
) -> None:
    async def opened() -> Runtime:
        return compose(settings, features, clock=clock)

    clock = FrozenClock()
    with asyncio.Runner() as runner:
        runtime = runner.run(opened())

        class Bound(Refreshing):
            world = World(runtime, clock, reused, runner)

        try:
            run_state_machine_as_test(Bound, settings=SCALE)
        finally:
            runner.run(runtime.database.close())
