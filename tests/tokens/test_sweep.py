"""What has been over for a while is forgotten by the periodic work."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from portico.core.ids import new_id
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.jobs import do_job
from portico.tokens.jobs import sweep_tokens
from portico.tokens.models import OneTimeToken, TokenFamily
from portico.tokens.services import OneTimeTokens, TokenFamilies
from portico.tokens.types import TokenPurpose

pytestmark = pytest.mark.anyio

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)


async def issue_both(runtime: Runtime) -> None:
    unit = runtime.unit()
    async with unit:
        await OneTimeTokens(runtime, unit).issue(TokenPurpose.VERIFY_EMAIL, new_id(), ttl=HOUR)
        await TokenFamilies(runtime, unit).start(session_id=new_id(), idle=HOUR, absolute=HOUR)


async def counts(runtime: Runtime) -> list[int | None]:
    async with runtime.reads() as session:
        return [
            await session.scalar(select(func.count()).select_from(model))
            for model in (OneTimeToken, TokenFamily)
        ]


async def test_sweep_keeps_what_was_over_for_less_than_the_setting(
    runtime: Runtime, clock: FrozenClock
) -> None:
    await issue_both(runtime)
    clock.advance(HOUR + WEEK)
    await do_job(runtime, sweep_tokens)
    assert await counts(runtime) == [1, 1]
    await issue_both(runtime)
    clock.advance(timedelta(seconds=1))
    await do_job(runtime, sweep_tokens)

    assert await counts(runtime) == [1, 1]
    clock.advance(HOUR + WEEK)
    await do_job(runtime, sweep_tokens)
    assert await counts(runtime) == [0, 0]


async def test_sweep_goes_on_past_one_batch(
    runtime: Runtime, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portico.tokens.jobs.BATCH", 2)
    for _ in range(5):
        await issue_both(runtime)
    clock.advance(HOUR + WEEK * 2)
    await do_job(runtime, sweep_tokens)

    assert await counts(runtime) == [0, 0]
