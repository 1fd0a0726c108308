"""People who sign in, and ways to look at what they left in the database."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from portico.runtime import Runtime
from portico.users.types import Account
from tests.sessions.people import ADDRESS, FAST_HASHES, PASSWORD, SignedInPerson, add_person, sign_in


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": FAST_HASHES}


@pytest.fixture
async def ada(runtime: Runtime) -> Account:
    """Somebody with a proven address."""
    return await add_person(runtime, ADDRESS, username="ada.lovelace")


@pytest.fixture
def signed_in(client: httpx2.AsyncClient, ada: Account) -> Callable[[], Awaitable[SignedInPerson]]:
    """Sign Ada in once more, as from another device."""

    async def make() -> SignedInPerson:
        return await sign_in(client, ADDRESS, PASSWORD)

    return make
