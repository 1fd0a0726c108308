"""What the HTTP floor keeps or reads: on both databases, with tables of the test's own beside Portico's."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from portico.composition import compose
from portico.core.settings import Settings
from portico.db.base import Base
from portico.db.columns import UtcDateTime
from portico.db.mixins import Identified
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock


class Note(Identified, Base):
    """A row of the team's own."""

    __tablename__ = "test_http_notes"

    text: Mapped[str] = mapped_column(String(80))
    weight: Mapped[int] = mapped_column(Integer, default=0)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def runtime(settings: Settings, clock: FrozenClock) -> AsyncIterator[Runtime]:
    runtime = compose(settings, [], clock=clock)
    async with runtime.database.writer.begin() as connection:
        await connection.run_sync(Base.metadata.tables[Note.__tablename__].create)
    yield runtime
    await runtime.database.close()
