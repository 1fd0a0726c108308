"""The sequencer: nothing is passed over, however commits interleave; gaps and lag are told."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from portico.audit.health import TrailBehind, describe_chain
from portico.audit.models import AuditCheckpoint, AuditEntry, AuditLink
from portico.audit.repositories.entries import EntryRepository
from portico.audit.services import read_links, record
from portico.audit.services.sequencing import Sequencer
from portico.audit.settings import AuditSettings
from portico.coordination.leases import Leases
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.audit.trail import NORTH, SOUTH, act, chain, populate, verdict
from tests.sessions.people import rows_of

pytestmark = pytest.mark.anyio


async def test_each_stream_has_its_own_positions_and_the_whole_one_order(runtime: Runtime) -> None:
    await populate(runtime)

    assert await chain(runtime) == 8
    assert await chain(runtime) == 0

    async with runtime.reads() as session:
        links = await read_links(session, 0, 100)
        after = await read_links(session, 3, 2)
    assert [each.link for each in links] == list(range(1, 9))
    assert [each.position for each in links if each.stream == NORTH] == [1, 2, 3]
    assert [each.position for each in links if each.stream == SOUTH] == [1, 2]
    assert [each.entry.id for each in after] == [each.entry.id for each in links[3:5]]
    assert links[3].entry.personal == {
        "client_address": "203.0.113.7",
        "user_agent": "A browser",
        "email": "ada@example.org",
    }


async def test_more_than_a_batch_is_chained_in_one_run(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portico.audit.services.sequencing.BATCH", 3)
    await act(runtime, 8)

    assert await chain(runtime) == 8
    assert (await verdict(runtime)).entries == 8


async def test_two_sequencers_at_once_chain_everything_once(runtime: Runtime) -> None:
    await act(runtime, 20)
    await asyncio.gather(*(Sequencer(runtime).run() for _ in range(4)))
    await chain(runtime)

    assert len(await rows_of(runtime, AuditLink)) == 20
    assert (await verdict(runtime)).is_sound


async def test_who_has_lost_the_lease_writes_nothing(runtime: Runtime, clock: FrozenClock) -> None:
    from portico.coordination.errors import LeaseLost

    await act(runtime, 2)
    sequencer = Sequencer(runtime)
    async with runtime.get(Leases).hold("audit.sequencer") as lease:
        clock.advance(timedelta(minutes=1))
        with pytest.raises(LeaseLost):
            await sequencer._chain(lease)

    assert await rows_of(runtime, AuditLink) == []


@pytest.mark.parametrize("database_kind", ["postgresql"])
class TestOutOfOrder:
    async def test_a_late_commit_is_chained_late_and_nobody_waits_for_it(self, runtime: Runtime) -> None:
        async with runtime.unit() as slow:
            record(runtime, slow, "test.slow")
            await slow.settle()  # its number is taken, its commit far away
            await act(runtime, 3)
            assert await chain(runtime) == 3
            assert await chain(runtime) == 0
            assert (await verdict(runtime)).is_sound
            assert "1 numbers may yet come" in await describe_chain(runtime)
        assert await chain(runtime) == 1

        found = await verdict(runtime)
        async with runtime.reads() as session:
            order = [each.entry.action for each in await read_links(session, 0, 10)]
        assert order == ["test.acted"] * 3 + ["test.slow"]
        assert (found.entries, found.is_sound) == (4, True)

    async def test_a_rollback_is_told_once_nobody_can_fill_the_gap(self, runtime: Runtime) -> None:
        slow = runtime.unit()
        async with runtime.unit() as other, slow:
            await other.session.execute(text("SELECT 1"))
            record(runtime, slow, "test.undone")
            await slow.settle()
            await act(runtime, 1)
            await chain(runtime)
            await slow.abandon()
            await chain(runtime)
            waiting = await rows_of(runtime, AuditEntry, AuditEntry.action == "audit.gap_found")
        await chain(runtime)
        await chain(runtime)

        [gap] = await rows_of(runtime, AuditEntry, AuditEntry.action == "audit.gap_found")
        assert waiting == []  # the other one might have brought it
        assert (gap.details, gap.outcome, gap.reason) == ({"first": 1, "last": 1}, "success", "rolled_back")
        assert (await verdict(runtime)).is_sound

    async def test_racers_that_commit_and_roll_back_lose_nothing(self, runtime: Runtime) -> None:
        async def race(number: int) -> None:
            async with asyncio.timeout(30):
                unit = runtime.unit()
                async with unit:
                    record(runtime, unit, "test.raced", details={"number": number})
                    await unit.settle()
                    await asyncio.sleep(number % 5 / 100)
                    if number % 4 == 0:
                        await unit.abandon()

        stop = asyncio.Event()

        async def follow() -> None:
            while not stop.is_set():
                await chain(runtime)

        following = asyncio.create_task(follow())
        for start in range(0, 80, 4):
            await asyncio.gather(*(race(number) for number in range(start, start + 4)))
        stop.set()
        await following
        for _ in range(3):
            await chain(runtime)

        raced = await rows_of(runtime, AuditEntry, AuditEntry.action == "test.raced")
        links = await rows_of(runtime, AuditLink)
        found = await verdict(runtime)
        assert len(raced) == 60
        assert {entry.id for entry in raced} <= {link.entry_id for link in links}
        assert (found.is_sound, found.waiting) == (True, 0)


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_on_sqlite_a_missing_number_is_a_deletion(runtime: Runtime) -> None:
    await act(runtime, 3)
    async with runtime.unit() as unit:
        await unit.session.execute(text("DELETE FROM portico_audit_entries WHERE seq = 2"))
    with pytest.raises(ZeroDivisionError):
        async with runtime.unit() as unit:
            record(runtime, unit, "test.undone")
            await unit.settle()
            raise ZeroDivisionError
    await act(runtime, 1)
    await chain(runtime)

    [gap] = await rows_of(runtime, AuditEntry, AuditEntry.action == "audit.gap_found")
    assert (gap.details, gap.outcome, gap.reason) == ({"first": 2, "last": 2}, "failed", "deleted")


async def test_checkpoints_are_signed_by_the_hour_and_by_number(runtime: Runtime, clock: FrozenClock) -> None:
    await act(runtime, 2)
    await chain(runtime)
    assert await rows_of(runtime, AuditCheckpoint) == []
    clock.advance(timedelta(hours=1))
    with capture_logs() as entries:
        await chain(runtime)
    clock.advance(timedelta(hours=5))
    await chain(runtime)

    [checkpoint] = await rows_of(runtime, AuditCheckpoint)
    assert (checkpoint.position, checkpoint.number) == (2, 1)
    [told] = [entry["checkpoint"] for entry in entries if entry["event"] == "audit_checkpoint"]
    assert told.startswith(f"portico-checkpoint v1 platform 1 2 regular {checkpoint.at:%Y-%m-%dT}")


class TestBatches:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, object]:
        return {"audit": {"checkpoint_after": 5}}

    async def test_a_busy_stream_is_signed_before_the_hour(self, runtime: Runtime) -> None:
        await act(runtime, 5)
        await chain(runtime)

        assert [row.position for row in await rows_of(runtime, AuditCheckpoint)] == [5]


async def test_lag_is_told_and_becomes_a_fault(runtime: Runtime, clock: FrozenClock) -> None:
    await act(runtime, 3)
    clock.advance(timedelta(seconds=30))
    assert await describe_chain(runtime) == "0 entries chained, 3 waiting, the oldest for 30 s"
    clock.advance(runtime.section(AuditSettings).lag_limit)
    with pytest.raises(TrailBehind):
        await describe_chain(runtime)
    await chain(runtime)

    assert await describe_chain(runtime) == "3 entries chained, 0 waiting, the oldest for 0 s"


async def test_no_writer_waits_for_the_sequencer(runtime: Runtime) -> None:
    """Entries take no lock that the sequencer, or another entry, would have to wait for."""
    if runtime.database.is_sqlite:
        pytest.skip("one writer at a time, whatever it writes")
    async with runtime.unit() as unit:
        record(runtime, unit, "test.acted")
        await unit.settle()
        async with asyncio.timeout(5):
            await act(runtime, 1)
            await chain(runtime)
            async with runtime.unit() as other:
                await EntryRepository(other.session).forget_person(NORTH)
    async with runtime.reads() as session:
        assert len(list(await session.scalars(select(AuditEntry.seq)))) == 2
