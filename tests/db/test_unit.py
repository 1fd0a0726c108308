"""The unit of work keeps its promises: commit before the answer, kept refusals, nothing held."""

import pytest
from sqlalchemy import func, select

from portico.audit.models import AuditEntry
from portico.audit.services import record
from portico.core import failpoints
from portico.core.errors import Forbidden, Unauthenticated
from portico.core.failpoints import Failure
from portico.feature import Feature
from portico.runtime import Runtime

pytestmark = pytest.mark.anyio


class KeptRefusal(Unauthenticated):
    """A refusal that leaves a trace."""

    persist = True


@pytest.fixture
def features() -> list[Feature]:
    """Need no feature."""
    return []


async def entries(runtime: Runtime) -> int:
    """Count what is on the trail."""
    async with runtime.reads() as session:
        return (await session.scalar(select(func.count()).select_from(AuditEntry))) or 0


async def test_unit_commits_when_the_outermost_block_ends(runtime: Runtime) -> None:
    unit = runtime.unit()
    async with unit:
        record(runtime, unit, "test.outer")
        async with unit:
            record(runtime, unit, "test.inner")
        inside = await entries(runtime)

    assert (inside, await entries(runtime)) == (0, 2)


async def test_unit_rolls_back_when_the_block_raises(runtime: Runtime) -> None:
    unit = runtime.unit()
    with pytest.raises(Forbidden):
        async with unit:
            record(runtime, unit, "test.refused")
            raise Forbidden

    assert await entries(runtime) == 0


async def test_unit_commits_and_raises_when_the_refusal_is_kept(runtime: Runtime) -> None:
    unit = runtime.unit()
    with pytest.raises(KeptRefusal):
        async with unit:
            record(runtime, unit, "test.kept")
            raise KeptRefusal

    assert await entries(runtime) == 1


async def test_unit_is_one_transaction_when_opened_a_second_time(runtime: Runtime) -> None:
    unit = runtime.unit()
    async with unit:
        record(runtime, unit, "test.first")

    with pytest.raises(RuntimeError, match="one write transaction"):
        async with unit:
            pass


async def test_hooks_run_in_order_around_the_commit(runtime: Runtime) -> None:
    seen: list[tuple[str, int]] = []
    unit = runtime.unit()

    async def note(name: str) -> None:
        seen.append((name, await entries(runtime)))

    async with unit:
        record(runtime, unit, "test.hooked")
        unit.before_commit(lambda: note("before"))
        unit.after_commit(lambda: note("after"))

    assert seen == [("before", 0), ("after", 1)]


async def test_after_commit_hooks_stay_away_when_the_commit_fails(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setitem(failpoints.armed, "db.unit.before_commit", failpoints.raising())
    unit = runtime.unit()

    async def hook() -> None:
        ran.append("after")

    with pytest.raises(Failure):
        async with unit:
            record(runtime, unit, "test.lost")
            unit.after_commit(hook)

    assert (ran, await entries(runtime)) == ([], 0)


async def test_held_unit_commits_only_when_finished(runtime: Runtime) -> None:
    unit = runtime.unit()
    unit.hold()
    async with unit:
        record(runtime, unit, "test.held")
    before = await entries(runtime)
    await unit.finish()

    assert (before, await entries(runtime)) == (0, 1)


async def test_connections_go_back_when_units_end_every_way(runtime: Runtime) -> None:
    for error in (None, Forbidden(), KeptRefusal(), ValueError()):
        try:
            async with runtime.unit() as unit:
                record(runtime, unit, "test.leak")
                if error is not None:
                    raise error
        except (Forbidden, KeptRefusal, ValueError):
            pass

    assert runtime.database.writer.pool.checkedout() == 0  # type: ignore[attr-defined]  # a QueuePool
