"""What is old enough goes, and what stays can still be proven; by the owner's connection where only that may."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import httpx2
import pytest
from sqlalchemy import func, select, text

from portico.app import default_features
from portico.audit.keeping import KeptClass
from portico.audit.models import AuditEntry, AuditLink, AuditPersonal
from portico.audit.services.retention import Retention, prune_if_allowed, retention
from portico.composition import compose, migrator_of, opened
from portico.core.ids import new_id
from portico.core.settings import Settings
from portico.runtime import Runtime
from portico.testing import services
from portico.testing.clock import FrozenClock
from portico.testing.people import People
from portico.testing.services.databases import with_database
from tests.audit.trail import NORTH, act, chain, verdict
from tests.sessions.people import rows_of

pytestmark = [pytest.mark.anyio, pytest.mark.bar("ASVS-14.2.7")]


async def two_years(runtime: Runtime, clock: FrozenClock) -> None:
    """Fill two streams with an entry a month, chained and signed as the time goes."""
    for _ in range(24):
        await act(runtime)
        await act(runtime, organization_id=NORTH)
        await chain(runtime)
        clock.advance(timedelta(days=30))
        await chain(runtime)


async def counts(runtime: Runtime) -> tuple[int, ...]:
    async with runtime.reads() as session:
        return tuple(
            [
                await session.scalar(select(func.count()).select_from(model)) or 0
                for model in (AuditEntry, AuditLink, AuditPersonal)
            ]
        )


async def test_the_old_goes_and_the_rest_is_proven(runtime: Runtime, clock: FrozenClock) -> None:
    await two_years(runtime, clock)
    before = await counts(runtime)

    assert await prune_if_allowed(runtime) == 2 * 10
    again = await prune_if_allowed(runtime)
    await chain(runtime)
    found = await verdict(runtime)

    oldest = min(row.at for row in await rows_of(runtime, AuditEntry))
    assert timedelta(days=400) < clock.now() - oldest <= timedelta(days=400 + 30)
    assert before == (48, 48, 48)
    assert await counts(runtime) == (
        48 - 20 + 2,
        48 - 20 + 2,
        48 - 20 + 2,
    )  # both streams say that they were pruned
    assert (again, found.faults, found.pruned) == (0, [], 20)


async def test_pruning_again_and_again_keeps_the_proof(runtime: Runtime, clock: FrozenClock) -> None:
    for _ in range(3):
        await two_years(runtime, clock)
        assert await prune_if_allowed(runtime) > 0
        await chain(runtime)
        assert (await verdict(runtime)).faults == []


async def test_what_was_cut_off_without_us_is_found(runtime: Runtime, clock: FrozenClock) -> None:
    await two_years(runtime, clock)
    await prune_if_allowed(runtime)
    async with runtime.unit() as unit:
        entries = "DELETE FROM portico_audit_entries WHERE seq = (SELECT min(seq) FROM portico_audit_entries)"
        links = "DELETE FROM portico_audit_links WHERE seq = (SELECT min(seq) FROM portico_audit_links)"
        for statement in (entries, links):
            await unit.session.execute(text(statement))

    assert not (await verdict(runtime)).is_sound


async def test_an_anchor_that_nobody_signed_is_none(runtime: Runtime, clock: FrozenClock) -> None:
    await two_years(runtime, clock)
    await prune_if_allowed(runtime)
    async with runtime.unit() as unit:
        await unit.session.execute(
            text("UPDATE portico_audit_checkpoints SET kind = 'regular' WHERE kind = 'anchor'")
        )

    assert not (await verdict(runtime)).is_sound


async def test_a_death_in_the_middle_leaves_it_provable(
    runtime: Runtime, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two_years(runtime, clock)
    monkeypatch.setattr("portico.audit.services.retention.BATCH", 3)
    remove, calls = Retention._prune_stream, []

    async def dies(self: Retention, *arguments: Any) -> int:
        calls.append(arguments)
        await self._anchor(*arguments)
        async with (unit := runtime.unit()):
            from portico.audit.repositories import RetentionRepository

            await RetentionRepository(unit.session).remove_until(
                arguments[0].stream, arguments[0].position, 3
            )
        raise KeyboardInterrupt

    monkeypatch.setattr(Retention, "_prune_stream", dies)
    with pytest.raises(KeyboardInterrupt):
        await prune_if_allowed(runtime)
    assert (await verdict(runtime)).faults == []
    monkeypatch.setattr(Retention, "_prune_stream", remove)

    assert await prune_if_allowed(runtime) == 20 - 3
    assert (await verdict(runtime)).faults == []


class TestKept:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"audit": {"keep": None}}

    async def test_for_ever(self, runtime: Runtime, clock: FrozenClock) -> None:
        await two_years(runtime, clock)

        assert await prune_if_allowed(runtime) == 0


APPEND_ONLY = (
    "portico_audit_entries",
    "portico_audit_links",
    "portico_audit_checkpoints",
    "portico_audit_let_go",
)


@pytest.mark.bar("ASVS-16.4.2")
@pytest.mark.parametrize("database_kind", ["postgresql"])
class TestTwoRoles:
    """With an owner URL the application's role adds and reads, and nothing more."""

    @pytest.fixture
    def blank(self) -> Iterator[str]:
        name, roles = f"blank_{new_id().hex[-12:]}", services.database_roles()
        services.create_database(name, owner=roles.owner)
        yield name
        services.drop_database(name)

    @pytest.fixture
    def settings(self, settings: Settings, blank: str) -> Settings:
        roles, url = services.database_roles(), with_database(services.postgres_url(), blank)
        return settings.changed(
            database={
                "url": services.as_role(url, roles.application),
                "owner_url": services.as_role(url, roles.owner),
            }
        )

    @pytest.fixture
    async def runtime(self, settings: Settings, clock: FrozenClock) -> AsyncIterator[Runtime]:
        features = default_features()
        await migrator_of(settings, features).upgrade()
        async with opened(compose(settings, features, clock=clock)) as runtime:
            yield runtime

    async def test_entries_links_and_checkpoints_can_be_added_only(
        self,
        runtime: Runtime,
        settings: Settings,
        client: httpx2.AsyncClient,
        people: People,
        clock: FrozenClock,
    ) -> None:
        await people.sign_up("ada@example.com")
        await chain(runtime)
        clock.advance(timedelta(hours=1))
        await chain(runtime)
        assert settings.database.url
        connection = await asyncpg.connect(settings.database.url.get_secret_value())
        try:
            for table in APPEND_ONLY:
                for statement in (
                    f"UPDATE {table} SET hash = hash",
                    f"DELETE FROM {table}",
                    f"TRUNCATE {table}",
                ):
                    has_hash = table in {"portico_audit_links", "portico_audit_checkpoints"}
                    what = statement if has_hash else statement.replace("hash = hash", "at = at")
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await connection.execute(what)
        finally:
            await connection.close()

        assert (await verdict(runtime)).is_sound
        assert min(await counts(runtime)) > 0

    async def test_the_owner_prunes(self, runtime: Runtime, clock: FrozenClock) -> None:
        await two_years(runtime, clock)
        async with retention(runtime) as at_work:
            assert at_work._database is not runtime.database

        assert await prune_if_allowed(runtime) == 20
        async with retention(runtime) as at_work:
            assert await at_work.let_go(KeptClass("test.", (), timedelta(1)), clock.now()) == 28
        assert (await verdict(runtime)).faults == []
