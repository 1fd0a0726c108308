"""What administrators change on one node holds on every other one when it is answered."""

import httpx2
import pytest

from tests.api_keys.conftest import elsewhere
from tests.oauth.kit import FORM, House, TestClient
from tests.oauth.offices import CLIENTS, RESOURCES, Office, developed

__all__ = ["elsewhere"]

pytestmark = pytest.mark.anyio

FILES = "https://files.example/api"


async def asked_at(node: httpx2.AsyncClient, client: TestClient) -> tuple[int, str]:
    """Ask a node for a token; return the status and the error."""
    wish = {"grant_type": "client_credentials", "resource": FILES, "scope": "files:read"}
    answer = await node.post("/oauth/token", data=wish, headers={**FORM, **client.basic})
    return answer.status_code, answer.json().get("error", "")


@pytest.mark.bar("CHECK-3")
async def test_clients_secrets_and_apis_are_the_same_everywhere(
    house: House, elsewhere: httpx2.AsyncClient
) -> None:
    office = await Office.of(house)
    made = await office.make(kind="machine")
    client, path = developed(made), f"{CLIENTS}/{made['key']}"

    unknown = await asked_at(elsewhere, client)
    wish = {"identifier": FILES, "scopes": {"files:read": "Read"}}
    api = (await office.ask("POST", RESOURCES, wish)).json()
    known = await asked_at(elsewhere, client)
    rotated = (await office.ask("POST", f"{path}/secrets", {"overlap_hours": 0})).json()
    old, new = await asked_at(elsewhere, client), developed(made, rotated["client_secret"])
    renewed = await asked_at(elsewhere, new)
    await office.ask("PATCH", f"{RESOURCES}/{api['id']}", {"scopes": {"files:list": "List"}})
    narrowed = await asked_at(elsewhere, new)
    await office.ask("POST", f"{path}/disable")
    off = await asked_at(elsewhere, new)

    assert unknown == (400, "invalid_target")
    assert known == renewed == (200, "")
    assert old == (401, "invalid_client")
    assert narrowed == (400, "invalid_scope")
    assert off == (400, "unauthorized_client")
