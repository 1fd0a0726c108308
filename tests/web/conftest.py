"""Fixtures of the pages: their ground alone, and a browser at the whole application."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from portico.core.settings import Settings
from portico.testing.mail import CapturedMails
from tests.web.browser import Browser
from tests.web.ground import make_ground
from tests.web.people import CHEAP


@pytest.fixture
def ground(tmp_path: Path) -> FastAPI:
    """Return an application that has no feature."""
    return make_ground(tmp_path)


@pytest.fixture
def database_kind() -> str:
    """Name the database: pages know no SQL, and the services under them are tested on both."""
    return "sqlite"


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    """Return settings whose hashes cost little."""
    return {"credentials": CHEAP}


@pytest.fixture
def browser(client: httpx2.AsyncClient, mails: CapturedMails) -> Browser:
    """Return a browser that nobody has signed in with; mails are caught."""
    return Browser(client)


@pytest.fixture
async def other_browser(app: FastAPI, settings: Settings) -> AsyncIterator[Browser]:
    """Return the browser of somebody else, or on another device."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=settings.public_url) as client:
        yield Browser(client)
