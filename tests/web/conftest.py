"""Fixtures of the pages' ground."""

from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.web.ground import make_ground


@pytest.fixture
def ground(tmp_path: Path) -> FastAPI:
    """Return an application that has no feature."""
    return make_ground(tmp_path)
