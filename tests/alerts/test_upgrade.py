"""Whoever upgrades is not told of what happened years ago."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from portico.alerts.services import Following
from portico.app import default_features
from portico.audit.services.sequencing import Sequencer
from portico.composition import compose, opened
from portico.core.ids import new_id
from portico.core.settings import Settings
from portico.db.migrator import Migrator
from portico.testing import services
from portico.testing.clock import FrozenClock
from tests.alerts.conftest import alerts_of, write

pytestmark = pytest.mark.anyio

OLD = text("""
INSERT INTO portico_audit_entries (id, at, action, outcome, subject_type, subject_id, details)
VALUES (:id, :at, 'api_key.honeytoken_used', 'refused', 'api_key', :id, '{}')
""")


@pytest.fixture
def url(database_kind: str, tmp_path: Path) -> URL:
    if database_kind == "sqlite":
        return URL.create("sqlite+aiosqlite", database=str(tmp_path / "old.db"))
    return make_url(services.create_database(f"alerts_{new_id().hex[-12:]}")).set(
        drivername="postgresql+asyncpg"
    )


async def test_what_was_on_the_trail_before_raises_nothing(url: URL, settings: Settings) -> None:
    is_sqlite, at, id_ = url.get_backend_name() == "sqlite", datetime(2025, 1, 1, tzinfo=UTC), new_id()
    await Migrator(url).upgrade("0004")
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        old = {"id": id_.hex, "at": "2025-01-01 00:00:00.000000"} if is_sqlite else {"id": id_, "at": at}
        await connection.execute(OLD, old)
    await engine.dispose()
    await Migrator(url).upgrade()
    database = {"url": url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)}
    clock = FrozenClock(at + timedelta(days=1))
    async with opened(
        compose(settings.changed(database=database), default_features(), clock=clock)
    ) as runtime:
        key = new_id()
        await write(runtime, "api_key.honeytoken_used", subject=("api_key", key))
        await Sequencer(runtime).run()
        heard = await Following(runtime).run()
        found = await alerts_of(runtime)

    assert (heard, [alert.subject_id for alert in found]) == (2, [key])
