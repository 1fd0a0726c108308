"""Many present one token at once, in one process and in two (RELIABILITY P5), and while it is revoked (P6)."""

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from portico.core import failpoints
from portico.runtime import Runtime
from portico.tokens.errors import RefreshTokenInvalid, RefreshTokenReplayed
from portico.tokens.models import TokenFamily
from portico.tokens.services import TokenFamilies
from portico.tokens.types import RefreshToken, Rotation

pytestmark = pytest.mark.anyio

SESSION = UUID("019b8d00-0000-7000-8000-00000000000a")
IDLE, ABSOLUTE = timedelta(days=7), timedelta(days=30)
GRACE, NO_GRACE = timedelta(seconds=10), timedelta(0)
RACER = Path(__file__).with_name("racer.py")
RACES = [(2, 0.02), (10, 0.005), (10, 0.02), (50, 0.0), (50, 0.005)]


async def start(runtime: Runtime) -> RefreshToken:
    return await TokenFamilies(runtime, runtime.unit()).start(
        session_id=SESSION, idle=IDLE, absolute=ABSOLUTE
    )


async def rotate(runtime: Runtime, token: str, grace: timedelta = GRACE) -> Rotation:
    return await TokenFamilies(runtime, runtime.unit()).rotate(token, grace=grace, idle=IDLE)


async def race(runtime: Runtime, token: str, racers: int, grace: timedelta) -> list[Rotation | BaseException]:
    return await asyncio.gather(
        *(rotate(runtime, token, grace) for _ in range(racers)), return_exceptions=True
    )


async def counter_of(runtime: Runtime) -> int:
    async with runtime.reads() as session:
        return (await session.scalars(select(TokenFamily.counter))).one()


def delay_rotation(seconds: float) -> None:
    """Widen the race on both sides of the write."""
    for point in ("tokens.rotate.before_write", "tokens.rotate.after_write"):
        failpoints.armed[point] = failpoints.delaying(seconds)


@pytest.mark.bar("P5", "CHECK-8")
@pytest.mark.parametrize(("racers", "delay"), RACES)
async def test_racers_within_the_grace_all_get_the_same_child(
    runtime: Runtime, racers: int, delay: float
) -> None:
    token = await start(runtime)
    delay_rotation(delay)
    outcomes = await race(runtime, token, racers, GRACE)

    assert [one for one in outcomes if isinstance(one, BaseException)] == []
    rotations = [one for one in outcomes if isinstance(one, Rotation)]
    assert Counter(one.outcome for one in rotations) == {"rotated": 1, "regranted": racers - 1}
    assert len({one.refresh_token for one in rotations}) == 1
    assert await counter_of(runtime) == 1
    assert (await rotate(runtime, rotations[0].refresh_token)).family.counter == 2


@pytest.mark.bar("P5", "CHECK-8")
@pytest.mark.parametrize(("racers", "delay"), RACES)
async def test_without_a_grace_exactly_one_racer_succeeds(
    runtime: Runtime, racers: int, delay: float
) -> None:
    token = await start(runtime)
    delay_rotation(delay)
    outcomes = await race(runtime, token, racers, NO_GRACE)

    kinds = Counter(type(one) for one in outcomes)
    assert kinds[Rotation] == 1
    assert kinds[RefreshTokenReplayed] == 1
    assert kinds[RefreshTokenInvalid] == racers - 2
    assert await counter_of(runtime) == 1


@dataclass(frozen=True, slots=True)
class Process:
    """A process of its own that races; it says when it is ready, and starts when it is told."""

    running: asyncio.subprocess.Process

    @classmethod
    async def begin(
        cls, runtime: Runtime, token: str, racers: int, grace: timedelta, delay: float
    ) -> "Process":
        url = runtime.settings.database.url
        assert url is not None
        order = {
            "url": url.get_secret_value(),
            "data_dir": str(runtime.settings.data_dir),
            "token": str(token),
            "racers": racers,
            "grace": grace.total_seconds(),
            "delay": delay,
            "now": runtime.clock.now().isoformat(),
        }
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            str(RACER),
            json.dumps(order),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        process = cls(running)
        assert await process.line() == "ready"
        return process

    async def line(self) -> str:
        assert self.running.stdout is not None
        return (await self.running.stdout.readline()).decode().strip()

    async def race(self) -> list[dict[str, str]]:
        assert self.running.stdin is not None
        self.running.stdin.write(b"go\n")
        outcomes: list[dict[str, str]] = json.loads(await self.line())
        await self.running.wait()
        return outcomes


async def race_of_two_processes(runtime: Runtime, token: str, grace: timedelta) -> list[dict[str, str]]:
    begun = [Process.begin(runtime, token, 25, grace, 0.002) for _ in range(2)]
    processes = await asyncio.gather(*begun)
    return [one for part in await asyncio.gather(*(each.race() for each in processes)) for one in part]


@pytest.mark.bar("P5", "CHECK-8")
async def test_racers_of_two_processes_all_get_the_same_child(runtime: Runtime) -> None:
    outcomes = await race_of_two_processes(runtime, await start(runtime), GRACE)

    assert Counter(one["outcome"] for one in outcomes) == {"rotated": 1, "regranted": 49}
    assert len({one["token"] for one in outcomes}) == 1
    assert await counter_of(runtime) == 1


@pytest.mark.bar("P5", "CHECK-8")
async def test_without_a_grace_one_racer_of_two_processes_succeeds(runtime: Runtime) -> None:
    outcomes = await race_of_two_processes(runtime, await start(runtime), NO_GRACE)

    kinds = Counter(one["outcome"] for one in outcomes)
    assert kinds == {"rotated": 1, "RefreshTokenReplayed": 1, "RefreshTokenInvalid": 48}


@pytest.mark.bar("SUPABASE-52614", "P6", "CHECK-8")
@pytest.mark.parametrize("how", ["revoke", "replay"])
async def test_nothing_succeeds_after_the_end_was_acknowledged(runtime: Runtime, how: str) -> None:
    first = await start(runtime)
    second = (await rotate(runtime, first)).refresh_token
    newest = (await rotate(runtime, second)).refresh_token
    history: list[tuple[float, bool]] = []
    acknowledged: list[float] = []
    warm = asyncio.Event()

    async def present(token: str, wait: float) -> str:
        await asyncio.sleep(wait)
        begun = time.perf_counter()
        try:
            token = (await rotate(runtime, token)).refresh_token
        except (RefreshTokenInvalid, RefreshTokenReplayed):
            history.append((begun, False))
        else:
            history.append((begun, True))
        return token

    async def keep_rotating(token: str) -> None:
        """Present the leaf four times at once, then what came of it, until some rounds after the end."""
        for _ in range(1000):
            (token, *_) = await asyncio.gather(*(present(token, wait / 1000) for wait in range(4)))
            if len(history) >= 12:
                warm.set()
            if acknowledged and history[-1][0] > acknowledged[0] + 0.02:
                return

    async def end() -> None:
        await warm.wait()
        if how == "revoke":
            await TokenFamilies(runtime, runtime.unit()).revoke(session_id=SESSION)
        else:
            with pytest.raises(RefreshTokenReplayed):
                await rotate(runtime, first)
        acknowledged.append(time.perf_counter())

    failpoints.armed["tokens.rotate.after_write"] = failpoints.delaying(0.002)
    await asyncio.gather(end(), keep_rotating(newest))

    assert any(good for begun, good in history if begun < acknowledged[0])
    after = [good for begun, good in history if begun >= acknowledged[0]]
    assert after
    assert not any(after)
