"""The signing keys, the trail above them, and a listener for what they announce."""

from collections.abc import Iterator

import pytest

from portico.audit.feature import audit_feature
from portico.core import failpoints
from portico.db.unit import Unit
from portico.feature import Feature
from portico.keys.events import SigningKeysRotated
from portico.keys.feature import keys_feature
from portico.keys.services import Keyring
from portico.messaging import on
from portico.runtime import Runtime


@pytest.fixture
def heard() -> list[SigningKeysRotated]:
    """Collect the announcements of rotations."""
    return []


@pytest.fixture
def features(heard: list[SigningKeysRotated]) -> list[Feature]:
    async def hear(event: SigningKeysRotated, unit: Unit, runtime: Runtime) -> None:
        heard.append(event)

    return [
        keys_feature(),
        audit_feature(),
        Feature(name="listener", subscribers=[on(SigningKeysRotated, hear)]),
    ]


@pytest.fixture
def keyring(runtime: Runtime) -> Keyring:
    return runtime.get(Keyring)


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    """Leave no failpoint armed behind."""
    yield
    failpoints.armed.clear()
