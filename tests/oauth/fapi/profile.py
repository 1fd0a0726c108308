"""What the modules of the FAPI 2.0 plans share: a client that signs its requests, and how it pushes them."""

from typing import Any

import httpx2

from tests.oauth.keyed import Keyed
from tests.oauth.kit import House


async def signer(house: House, **members: Any) -> Keyed:
    """Register a client of the profile that signs its requests (FAPI 2.0 Message Signing, section 5.3)."""
    return await Keyed.fapi(house, require_signed_request_object=True, **members)


async def push_object(keyed: Keyed, request: str, **beside: Any) -> httpx2.Response:
    """Try to push a request object as it is given."""
    return await keyed.try_push({"request": request, "client_id": keyed.client.client_id, **beside})


async def pushed(keyed: Keyed, **claims: Any) -> str:
    """Push a signed request, which must work; return its name."""
    answer = await push_object(keyed, keyed.request_object(**claims))
    assert answer.status_code == 201, answer.text
    name: str = answer.json()["request_uri"]
    return name
