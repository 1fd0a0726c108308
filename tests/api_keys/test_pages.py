"""The section of the account: keys are made, shown once, rotated and revoked by forms, without a script."""

import re

import httpx2
import pytest

from portico.core.ids import OrganizationId
from portico.http.csrf import token_for
from portico.testing.clock import FrozenClock
from tests.api_keys.conftest import House, by_key
from tests.sessions.people import PAGE_COOKIE, PASSWORD

pytestmark = pytest.mark.anyio

PATH = "/account/api-keys"


async def page(house: House, path: str = PATH, form: dict[str, str] | None = None) -> httpx2.Response:
    """See a page as Ada, or post a form there."""
    cookie = house.people["ada"].cookie
    headers = {"Cookie": f"{PAGE_COOKIE}={cookie}", "Accept": "text/html", "Origin": "http://localhost:8000"}
    house.client.cookies.clear()
    if form is None:
        return await house.client.get(path, headers=headers)
    token = token_for(house.runtime.secret, cookie)
    return await house.client.post(path, headers=headers, data={**form, "csrf_token": token})


async def test_a_key_is_made_and_shown_once(house: House) -> None:
    empty = await page(house)
    wish = {"name": "my laptop", "scope.user:self:read": "on", "days": "30", "password": PASSWORD}
    made = await page(house, form={**wish, "networks": "127.0.0.1 2001:db8::/32"})
    (text,) = re.findall(r"pak_[A-Za-z0-9_-]{49}", made.text)
    again = await page(house)

    assert empty.status_code == made.status_code == 200
    assert "See your profile" in empty.text
    assert "no-store" in made.headers["Cache-Control"]
    assert (await house.me(text)).status_code == 200
    assert text not in again.text
    assert "my laptop" in again.text
    assert text[:8] in again.text


async def test_a_form_with_faults_is_shown_again(house: House) -> None:
    wish = {"name": "x", "days": "30", "password": PASSWORD}

    none = await page(house, form=wish)
    wrong = await page(house, form={**wish, "scope.user:self:read": "on", "password": "not it"})
    network = await page(house, form={**wish, "scope.user:self:read": "on", "networks": "home"})
    beyond = await page(house, form={**wish, "scope.platform:user:read": "on"})

    assert {answer.status_code for answer in (none, wrong, network, beyond)} <= {400, 403, 422}
    assert 'href="#scopes"' in none.text
    assert "checked" in wrong.text
    assert "pak_" not in none.text + wrong.text + network.text + beyond.text
    assert (await house.by("ada", "GET", "/api-keys")).json()["data"] == []


async def test_rotating_shows_the_new_key_and_revoking_ends_it(house: House) -> None:
    made = await house.make("ada", name="my laptop")
    rotated = await page(house, f"{PATH}/rotate", {"key_id": made["id"], "password": PASSWORD})
    (text,) = re.findall(r"pak_[A-Za-z0-9_-]{49}", rotated.text)
    both = await page(house)
    revoked = await page(house, f"{PATH}/revoke", {"key_id": made["id"]})
    foreign = await page(house, f"{PATH}/revoke", {"key_id": "01a1f91a-cd27-7694-aca3-e652e48173c8"})

    assert text != made["key"]
    assert "Rotated" in both.text
    assert (revoked.status_code, revoked.headers["Location"]) == (303, PATH)
    assert (await house.me(made["key"])).status_code == 401
    assert (await house.me(text)).status_code == 200
    assert foreign.status_code == 404


async def test_only_what_may_be_given_is_offered(house: House, clock: FrozenClock) -> None:
    alone = (await page(house)).text
    await house.organization(ada="owner")
    member = (await page(house)).text

    assert 'name="scope.organization:member:read"' not in alone
    assert 'name="scope.organization:member:read"' in member
    assert "scope.organization:api_key:manage" not in member
    assert "scope.platform:" not in member


async def test_an_organizations_keys_and_service_accounts_have_a_page(house: House) -> None:
    ours = await organization_of_ada(house)
    at = f"/account/organizations/{ours}/api-keys"
    empty = await page(house, at)
    made = await page(house, f"{at}/service-accounts", {"account_name": "robot", "role": "admin"})
    accounts = (await house.by("ada", "GET", f"/organizations/{ours}/service-accounts")).json()["data"]
    account = {"account_id": accounts[0]["id"]}
    wish = {"name": "deploys", "days": "30", "password": PASSWORD, "service_account_id": accounts[0]["id"]}
    shown = await page(house, at, {**wish, "scope.organization:service_account:read": "on"})
    (text,) = re.findall(r"pak_[A-Za-z0-9_-]{49}", shown.text)

    async def status() -> int:
        path = f"/organizations/{ours}/service-accounts"
        return (await house.ask("GET", path, by_key(text))).status_code

    statuses = [await status()]
    for act in ("disable", "enable", "delete"):
        answer = await page(house, f"{at}/service-accounts/{act}", account)
        assert answer.status_code == 303, answer.text
        statuses.append(await status())
    bob = await house.by("bob", "GET", f"/organizations/{ours}/api-keys")

    assert (empty.status_code, made.status_code, shown.status_code) == (200, 303, 200)
    assert "API keys" in empty.text
    assert [(each["name"], each["roles"]) for each in accounts] == [("robot", ["admin"])]
    assert statuses == [200, 401, 200, 401]
    assert bob.status_code == 404


async def organization_of_ada(house: House) -> OrganizationId:
    """Make an organization with a name, as people do."""
    made = await house.by("ada", "POST", "/organizations", {"name": "Analytical Engines"})
    assert made.status_code == 201, made.text
    return OrganizationId(made.json()["id"])
