"""The engines alone: their feature, the trail below, and a listener for what they announce."""

from collections.abc import Iterator

import pytest

from portico.audit.feature import audit_feature
from portico.core import failpoints
from portico.db.unit import Unit
from portico.feature import Feature
from portico.messaging import on
from portico.runtime import Runtime
from portico.tokens.events import RefreshTokenReused
from portico.tokens.feature import tokens_feature


@pytest.fixture
def reused() -> list[RefreshTokenReused]:
    """Collect the announcements of replays, committed or not."""
    return []


@pytest.fixture
def features(reused: list[RefreshTokenReused]) -> list[Feature]:
    async def hear(event: RefreshTokenReused, unit: Unit, runtime: Runtime) -> None:
        reused.append(event)

    listener = Feature(name="listener", subscribers=[on(RefreshTokenReused, hear)])
    return [audit_feature(), tokens_feature(), listener]


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    """Leave no failpoint armed behind."""
    yield
    failpoints.armed.clear()
