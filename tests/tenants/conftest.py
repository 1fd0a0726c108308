"""The two tenants, and quick hashes."""

from typing import Any

import pytest
from fastapi import FastAPI

from portico.runtime import Runtime
from tests.sessions.people import FAST_HASHES
from tests.tenants.world import World


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": FAST_HASHES, "logging": {"access": False, "level": "warning"}}


@pytest.fixture
def world(runtime: Runtime, app: FastAPI) -> World:
    return World(runtime, app)
