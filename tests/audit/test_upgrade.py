"""Entries from before there was a chain are kept, covered by it, and can go back."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from portico.app import default_features
from portico.audit.models import AuditEntry, AuditPersonal
from portico.composition import compose, opened
from portico.core.ids import new_id
from portico.core.settings import Settings
from portico.db.migrator import Migrator
from portico.testing import services
from tests.audit.trail import act, chain, verdict
from tests.sessions.people import rows_of

pytestmark = pytest.mark.anyio

OLD = """
INSERT INTO portico_audit_entries (id, at, action, outcome, actor_id, client_address, user_agent, details)
VALUES (:id, :at, 'old.acted', 'success', :id, :address, :agent, :details)
"""


@pytest.fixture
def url(database_kind: str, tmp_path: Path) -> URL:
    if database_kind == "sqlite":
        return URL.create("sqlite+aiosqlite", database=str(tmp_path / "old.db"))
    return make_url(services.create_database(f"old_{new_id().hex[-12:]}")).set(
        drivername="postgresql+asyncpg"
    )


async def execute(url: URL, statement: str, *rows: dict[str, Any]) -> list[Any]:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            if rows:
                await connection.execute(text(statement), list(rows))
                return []
            return list((await connection.execute(text(statement))).mappings())
    finally:
        await engine.dispose()


async def test_old_entries_survive_both_ways(url: URL, settings: Settings) -> None:
    is_sqlite = url.get_backend_name() == "sqlite"
    await Migrator(url).upgrade("0004")
    rows = [
        {
            "id": (id_.hex if is_sqlite else id_),
            "at": "2026-01-01 00:00:00.000000" if is_sqlite else settings_time(),
            "address": "203.0.113.7" if number % 2 else None,
            "agent": "A browser" if number % 2 else None,
            "details": f'{{"number": {number}, "a": [1.50]}}',
        }
        for number, id_ in enumerate(new_id() for _ in range(5))
    ]
    await execute(url, OLD, *rows)
    before = await execute(
        url, "SELECT id, at, action, client_address, user_agent FROM portico_audit_entries ORDER BY id"
    )

    await Migrator(url).upgrade()
    database = {"url": url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)}
    async with opened(compose(settings.changed(database=database), default_features())) as runtime:
        await act(runtime, 2)
        await chain(runtime)
        found = await verdict(runtime)
        entries = await rows_of(runtime, AuditEntry, AuditEntry.format == 0)
        personal = await rows_of(runtime, AuditPersonal)
        async with runtime.unit() as unit:
            await unit.session.execute(
                text("UPDATE portico_audit_entries SET action = 'old.dreamed' WHERE seq = 2")
            )
        spoiled = await verdict(runtime)
        async with runtime.unit() as unit:
            await unit.session.execute(
                text("UPDATE portico_audit_entries SET action = 'old.acted' WHERE seq = 2")
            )
    await Migrator(url).downgrade("0004")
    after = await execute(
        url,
        "SELECT id, at, action, client_address, user_agent FROM portico_audit_entries"
        " WHERE action = 'old.acted' ORDER BY id",
    )

    assert (found.faults, found.entries, found.erased) == ([], 7, 0)
    assert [entry.details["number"] for entry in entries] == [0, 1, 2, 3, 4]
    assert sum(row.fields["client_address"] == "203.0.113.7" for row in personal) == 2 + 2
    assert [fault.what for fault in spoiled.faults] == ["its place in the chain was changed"]
    assert after == before
    await Migrator(url).upgrade()
    assert await Migrator(url).drift() == []


def settings_time() -> Any:
    from datetime import UTC, datetime

    return datetime(2026, 1, 1, tzinfo=UTC)
