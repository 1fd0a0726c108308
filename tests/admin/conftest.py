"""An administrator and somebody who is none, signed in."""

from typing import Any

import httpx2
import pytest

from portico.access.services import Grants
from portico.access.types import PlatformRole
from portico.runtime import Runtime
from portico.users.types import Account
from tests.sessions.people import ADDRESS, FAST_HASHES, SignedInPerson, add_person, sign_in

ROOT = "root@example.org"


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": FAST_HASHES}


@pytest.fixture
async def ada(runtime: Runtime) -> Account:
    """Somebody without rights over others."""
    return await add_person(runtime, ADDRESS, username="ada.lovelace")


@pytest.fixture
async def root(runtime: Runtime) -> Account:
    """The administrator."""
    account = await add_person(runtime, ROOT, username="grace")
    await Grants(runtime, runtime.unit()).grant_role(account.id, PlatformRole.SUPERUSER)
    return account


@pytest.fixture
async def admin(client: httpx2.AsyncClient, root: Account) -> SignedInPerson:
    """The administrator, signed in."""
    return await sign_in(client, ROOT)
