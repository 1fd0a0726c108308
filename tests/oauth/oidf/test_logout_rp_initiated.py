"""The modules of the OpenID Foundation's plan for RP-initiated logout, by their names.

Each signs in, sends the browser to the logout endpoint as the module does, and looks whether the session goes on.
"""

import html
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from tests.integration.ground import enter
from tests.oauth.kit import House, TestClient, returned
from tests.oauth.presenting import altered

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A26-26.1")]

LEAVING = "https://app.example/signed-out"
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')

type Leave = Callable[..., Awaitable[httpx2.Response]]


@pytest.fixture
async def house(lasting_house: House) -> House:
    """The house of the module; everybody is signed in anew."""
    for name, person in list(lasting_house.people.items()):
        lasting_house.people[name] = await enter(lasting_house.runtime, person.account)
    return lasting_house


@pytest.fixture
async def rp(house: House) -> TestClient:
    return await house.client(post_logout_redirect_uris=[LEAVING])


@pytest.fixture
async def id_token(house: House, rp: TestClient) -> str:
    return str((await house.tokens(rp))["id_token"])


@pytest.fixture
def leave(house: House) -> Leave:
    """Send the browser to the logout endpoint."""

    async def go(**parameters: Any) -> httpx2.Response:
        return await house.get(f"/oauth/logout?{urlencode(parameters)}")

    return go


async def agree(house: House, page: httpx2.Response) -> httpx2.Response:
    """Press the button of the page."""
    fields = {html.unescape(name): html.unescape(value) for name, value in _HIDDEN.findall(page.text)}
    return await house.http.post(
        "/oauth/logout/confirm", data=fields, headers=house.cookie("ada"), follow_redirects=False
    )


async def is_signed_in(house: House, rp: TestClient) -> bool:
    """Ask as the modules do: by an authorization request that must show nothing."""
    back = returned(await house.ask(rp, prompt="none"))
    assert ("code" in back) != (back.get("error") == "login_required"), back
    return "code" in back


async def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(house: House) -> None:
    document = (await house.http.get("/.well-known/openid-configuration")).json()

    assert document["end_session_endpoint"] == "http://localhost:8000/oauth/logout"


async def test_oidcc_rp_initiated_logout(house: House, rp: TestClient, id_token: str, leave: Leave) -> None:
    answer = await leave(id_token_hint=id_token, post_logout_redirect_uri=LEAVING, state="xyz")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"{LEAVING}?state=xyz"
    assert not await is_signed_in(house, rp)


async def test_oidcc_rp_initiated_logout_bad_post_logout_redirect_uri(
    house: House, rp: TestClient, id_token: str, leave: Leave
) -> None:
    answer = await leave(id_token_hint=id_token, post_logout_redirect_uri=f"{LEAVING}/bad", state="xyz")

    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert await is_signed_in(house, rp)


async def test_oidcc_rp_initiated_logout_modified_id_token_hint(
    house: House, rp: TestClient, id_token: str, leave: Leave
) -> None:
    answer = await leave(id_token_hint=altered(id_token), post_logout_redirect_uri=LEAVING, state="xyz")

    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert await is_signed_in(house, rp)


async def test_oidcc_rp_initiated_logout_no_id_token_hint(
    house: House, rp: TestClient, id_token: str, leave: Leave
) -> None:
    page = await leave(post_logout_redirect_uri=LEAVING, state="xyz")
    assert "location" not in page.headers
    assert await is_signed_in(house, rp)

    answer = await agree(house, page)

    assert (answer.status_code, "location" in answer.headers) == (200, False)
    assert not await is_signed_in(house, rp)


async def test_oidcc_rp_initiated_logout_no_params(
    house: House, rp: TestClient, id_token: str, leave: Leave
) -> None:
    page = await leave()
    assert (page.status_code, "location" in page.headers) == (200, False)
    assert await is_signed_in(house, rp)

    answer = await agree(house, page)

    assert (answer.status_code, "location" in answer.headers) == (200, False)
    assert not await is_signed_in(house, rp)


async def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(
    house: House, rp: TestClient, id_token: str, leave: Leave
) -> None:
    answer = await leave(id_token_hint=id_token, state="xyz")

    assert (answer.status_code, "location" in answer.headers) == (200, False)
    assert not await is_signed_in(house, rp)


async def test_oidcc_rp_initiated_logout_no_state(
    house: House, rp: TestClient, id_token: str, leave: Leave
) -> None:
    answer = await leave(id_token_hint=id_token, post_logout_redirect_uri=LEAVING)

    assert (answer.status_code, answer.headers["location"]) == (303, LEAVING)
    assert not await is_signed_in(house, rp)


async def test_oidcc_rp_initiated_logout_only_state(
    house: House, rp: TestClient, id_token: str, leave: Leave
) -> None:
    page = await leave(state="xyz")
    assert (page.status_code, "location" in page.headers) == (200, False)

    answer = await agree(house, page)

    assert (answer.status_code, "location" in answer.headers) == (200, False)
    assert not await is_signed_in(house, rp)


async def test_oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri(
    house: House, rp: TestClient, id_token: str, leave: Leave
) -> None:
    answer = await leave(id_token_hint=id_token, post_logout_redirect_uri=f"{LEAVING}?extra=1", state="xyz")

    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert await is_signed_in(house, rp)


async def test_oidcc_rp_initiated_logout_bad_id_token_hint(
    house: House, rp: TestClient, id_token: str, leave: Leave
) -> None:
    answer = await leave(id_token_hint="no id token", post_logout_redirect_uri=LEAVING, state="xyz")

    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert await is_signed_in(house, rp)
