"""The population that attacks meet, on a deployment whose password hashes cost little."""

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.access_matrix.scene import Scene
from tests.integration.ground import Population, populate
from tests.sessions.people import FAST_HASHES


@pytest.fixture(autouse=True)
def entries() -> Iterator[list[EventDict]]:
    """What structlog was given; not rendered, for a stack with its local variables takes a second."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": FAST_HASHES, "logging": {"access": False}}


@pytest.fixture
async def population(runtime: Runtime) -> Population:
    """Ada, Bob, and Grace who rules."""
    return await populate(runtime)


@pytest.fixture
async def scene(runtime: Runtime, clock: FrozenClock) -> Scene:
    """People and bodies of the access matrix."""
    return await Scene.made(runtime, clock)
