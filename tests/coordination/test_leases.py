"""Leases: one holder at a time, and one who slept finds out, on both databases and in real processes."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from portico.coordination.errors import LeaseLost, LeaseTaken
from portico.coordination.leases import Leases
from portico.coordination.lifespan import coordination_lifespan
from portico.core.clock import SystemClock
from portico.core.crypto import RootSecret
from portico.core.settings import Settings
from portico.db.database import Database
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing.live import clean_environment

pytestmark = pytest.mark.anyio

only_postgres = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
SHORT = timedelta(seconds=0.6)
PROGRAM = Path(__file__).with_name("lease_program.py")

type Opens = Callable[[], AbstractAsyncContextManager[Runtime]]


@pytest.fixture
def features() -> Sequence[Feature]:
    return ()


@pytest.fixture
def process(settings: Settings) -> Opens:
    """Open the database as a process of its own would."""

    @asynccontextmanager
    async def opens() -> AsyncIterator[Runtime]:
        database = Database.from_settings(settings)
        runtime = Runtime(
            settings=settings, secret=RootSecret(bytes(32)), database=database, clock=SystemClock()
        )
        try:
            async with coordination_lifespan(runtime, follows=False):
                yield runtime
        finally:
            await database.close()

    return opens


async def run_out(runtime: Runtime) -> None:
    """Let all leases end, as if their time were over."""
    async with (unit := runtime.unit()):
        await unit.session.execute(
            text("UPDATE portico_leases SET expires_at = '2000-01-01 00:00:00.000000'")
        )


async def subjects(runtime: Runtime) -> list[str]:
    async with runtime.reads() as session:
        return list(await session.scalars(text("SELECT subject FROM portico_revocations")))


async def mark(session: AsyncSession, subject: str) -> None:
    """Write something that a test can see."""
    statement = (
        "INSERT INTO portico_revocations (subject, created_at) VALUES (:s, '2026-01-01 00:00:00.000000')"
    )
    await session.execute(text(statement), {"s": subject})


async def test_second_is_refused_and_told_who_is_at_it(process: Opens) -> None:
    async with process() as first, process() as second, first.get(Leases).hold("purge"):
        with pytest.raises(LeaseTaken, match=r"'purge' is under way: \S+ pid \d+"):
            async with second.get(Leases).hold("purge"):
                pass


async def test_tokens_rise_with_every_holder(process: Opens) -> None:
    tokens = []
    async with process() as first, process() as second:
        for runtime in (first, second, first):
            async with runtime.get(Leases).hold("purge") as lease:
                tokens.append(lease.token)
                assert not lease.is_lost

    assert tokens == [1, 2, 3]


async def test_names_do_not_disturb_each_other(process: Opens) -> None:
    async with process() as runtime:
        leases = runtime.get(Leases)
        async with leases.hold("purge") as one, leases.hold("seed") as other:
            assert (one.token, other.token) == (1, 1)


async def test_of_many_at_once_one_gets_it(process: Opens) -> None:
    held, most = 0, 0
    tokens: list[int] = []

    async def tries(runtime: Runtime) -> None:
        nonlocal held, most
        with suppress(LeaseTaken):
            async with runtime.get(Leases).hold("purge") as lease:
                held += 1
                most = max(most, held)
                tokens.append(lease.token)
                await asyncio.sleep(0.2)
                held -= 1

    async with process() as first, process() as second:
        await asyncio.gather(*(tries([first, second][number % 2]) for number in range(20)))

    assert (most, tokens[0]) == (1, 1)
    assert tokens == sorted(set(tokens))


async def test_lease_is_kept_as_long_as_its_holder_works(process: Opens) -> None:
    async with process() as first, process() as second, first.get(Leases).hold("purge", SHORT) as lease:
        for _ in range(6):
            await asyncio.sleep(SHORT.total_seconds() / 3)
            with pytest.raises(LeaseTaken):
                async with second.get(Leases).hold("purge"):
                    pass

        assert not lease.is_lost


@pytest.mark.bar("P12")
async def test_who_lost_it_writes_nothing_more(process: Opens) -> None:
    async with process() as first, process() as second, first.get(Leases).hold("purge") as old:
        await run_out(first)
        async with second.get(Leases).hold("purge") as new:
            with pytest.raises(LeaseLost):
                async with (unit := first.unit()):
                    old.fence(unit)
                    await mark(unit.session, "old")
            async with (unit := second.unit()):
                new.fence(unit)
                await mark(unit.session, "new")

            assert (old.is_lost, new.is_lost, new.token - old.token) == (True, False, 1)
            assert await subjects(second) == ["new"]


async def test_renewal_finds_out_that_another_has_it(process: Opens) -> None:
    async with process() as first, process() as second, first.get(Leases).hold("purge", SHORT) as old:
        await run_out(first)
        async with second.get(Leases).hold("purge"):
            await asyncio.sleep(SHORT.total_seconds() / 2)

            assert old.is_lost
            with pytest.raises(LeaseLost):
                old.refuse_if_lost()


async def test_loser_does_not_give_back_what_another_holds(process: Opens) -> None:
    async with process() as first, process() as second, AsyncExitStack() as stack:
        async with first.get(Leases).hold("purge"):
            await run_out(first)
            await stack.enter_async_context(second.get(Leases).hold("purge"))
        with pytest.raises(LeaseTaken):
            async with first.get(Leases).hold("purge"):
                pass


@only_postgres
@pytest.mark.bar("P12")
async def test_nobody_takes_it_between_the_fence_and_the_commit(process: Opens) -> None:
    async with process() as first, process() as second, first.get(Leases).hold("purge") as old:
        order: list[str] = []
        stealing: list[asyncio.Task[None]] = []

        async def steals() -> None:
            await run_out(second)
            async with second.get(Leases).hold("purge"):
                order.append("stolen")

        async def dawdles() -> None:
            stealing.append(asyncio.create_task(steals()))
            await asyncio.sleep(0.3)
            order.append("commits")

        async with (unit := first.unit()):
            old.fence(unit)
            unit.before_commit(dawdles)
        await asyncio.gather(*stealing)

        assert order == ["commits", "stolen"]


@pytest.mark.parametrize(
    ("database_kind", "command"),
    [("sqlite", ("purge",)), ("postgresql", ("seed", "--users", "3"))],
    indirect=["database_kind"],
)
async def test_two_operators_do_not_run_the_same_command(
    process: Opens, empty_database: str, command: Sequence[str], tmp_path: Path
) -> None:
    settings = clean_environment() | {"PORTICO_DATABASE__URL": empty_database}
    program = [sys.executable, "-c", "from portico.cli import main; main()", *command]
    async with process() as other, other.get(Leases).hold(command[0]):
        refused = await anyio.run_process(program, env=settings, cwd=tmp_path, check=False)
    done = await anyio.run_process(program, env=settings, cwd=tmp_path, check=False)

    assert (refused.returncode, done.returncode) == (1, 0), done.stderr
    assert f"'{command[0]}' is under way".encode() in refused.stderr


@pytest.mark.bar("P12")
async def test_holder_that_was_frozen_past_its_lease_notices_and_writes_nothing(
    process: Opens, empty_database: str
) -> None:
    arguments = [str(PROGRAM), empty_database, str(SHORT.total_seconds())]
    program = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=PIPE, stdout=PIPE)
    assert program.stdin is not None
    assert program.stdout is not None
    async with process() as runtime:
        old = json.loads(await program.stdout.readline())
        program.send_signal(signal.SIGSTOP)
        program.stdin.write(b"write\n")  # the first thing that it will see
        await asyncio.sleep(SHORT.total_seconds() * 1.5)
        async with runtime.get(Leases).hold("purge") as new:
            program.send_signal(signal.SIGCONT)
            late = json.loads(await program.stdout.readline())
            program.stdin.close()
            await program.wait()

            assert (old["is_lost"], late["noticed"], late["wrote"]) == (False, True, False)
            assert late["token"] == old["token"] < new.token
            assert await subjects(runtime) == []
