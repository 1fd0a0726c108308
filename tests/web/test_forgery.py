"""Forms that a foreign page makes a browser send (SECURITY_BAR check 18)."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from portico.http.routing import RouteRow, route_table
from portico.runtime import Runtime
from tests.web.browser import ACCEPT, Browser, fields_of
from tests.web.people import ADA, OTHER_PASSWORD, PASSWORD, answer_to_sign_in, sign_out, sign_up
from tests.web.state import state_of

pytestmark = pytest.mark.anyio

FIELDS = {
    "/login": {"username": ADA, "password": PASSWORD},
    "/logout": {},
    "/signup": {"email": "eve@example.com", "password": PASSWORD},
    "/setup": {"token": "x", "email": "eve@example.com", "password": PASSWORD},
    "/verify": {"token": "x"},
    "/verify/resend": {"email": ADA},
    "/forgot": {"email": ADA},
    "/reset": {"token": "x", "new_password": OTHER_PASSWORD},
    "/account": {"full_name": "Mallory"},
    "/account/email": {"email": "mallory@example.com", "password": PASSWORD},
    "/account/email/resend": {},
    "/account/data/export": {},
    "/account/data/delete": {"password": PASSWORD},
    "/account/password": {"current_password": PASSWORD, "new_password": OTHER_PASSWORD},
    "/account/devices/end": {"session_id": "0" * 32},
    "/account/devices/end-others": {},
    "/account/security/resolve": {"alert_id": "0" * 32},
    "/impersonation/end": {},
    "/invitations/accept": {"token": "poi_x"},
    "/invitations/decline": {"token": "poi_x"},
    "/account/organizations": {"name": "Evil"},
    "/account/organizations/switch": {},
    "/account/organizations/restore": {"organization_id": "0" * 32},
    "/account/organizations/{organization_id}/members/roles": {"user_id": "0" * 32, "role_owner": "1"},
    "/account/organizations/{organization_id}/members/remove": {"user_id": "0" * 32},
    "/account/organizations/{organization_id}/roles": {"name": "Evil"},
    "/account/organizations/{organization_id}/roles/{role_id}": {"name": "Evil"},
    "/account/organizations/{organization_id}/roles/{role_id}/delete": {},
    "/account/organizations/{organization_id}/teams": {"name": "Evil"},
    "/account/organizations/{organization_id}/teams/{team_id}": {"name": "Evil"},
    "/account/organizations/{organization_id}/teams/{team_id}/members": {"user_id": "0" * 32},
    "/account/organizations/{organization_id}/teams/{team_id}/members/remove": {"user_id": "0" * 32},
    "/account/organizations/{organization_id}/teams/{team_id}/roles": {"role_owner": "1"},
    "/account/organizations/{organization_id}/teams/{team_id}/delete": {},
    "/account/organizations/{organization_id}/settings": {"name": "Evil"},
    "/account/organizations/{organization_id}/rules": {"max_session_age": "0"},
    "/account/organizations/{organization_id}/transfer": {"user_id": "0" * 32, "password": PASSWORD},
    "/account/organizations/{organization_id}/leave": {},
    "/account/organizations/{organization_id}/delete": {"confirmation": "evil", "password": PASSWORD},
    "/account/organizations/{organization_id}/invitations": {"email": "eve@example.com"},
    "/account/organizations/{organization_id}/invitations/resend": {"invitation_id": "0" * 32},
    "/account/organizations/{organization_id}/invitations/revoke": {"invitation_id": "0" * 32},
    "/account/organizations/{organization_id}/domains": {"domain": "evil.example"},
    "/account/organizations/{organization_id}/domains/verify": {"domain_id": "0" * 32},
    "/account/organizations/{organization_id}/domains/joining": {"domain_id": "0" * 32, "role": "admin"},
    "/account/organizations/{organization_id}/domains/remove": {"domain_id": "0" * 32},
    "/account/organizations/{organization_id}/api-keys": {"name": "Evil", "password": PASSWORD},
    "/account/organizations/{organization_id}/api-keys/rotate": {"key_id": "0" * 32, "password": PASSWORD},
    "/account/organizations/{organization_id}/api-keys/revoke": {"key_id": "0" * 32},
    "/account/organizations/{organization_id}/api-keys/service-accounts": {"name": "Evil", "role": "admin"},
    "/account/organizations/{organization_id}/api-keys/service-accounts/disable": {"id": "0" * 32},
    "/account/organizations/{organization_id}/api-keys/service-accounts/enable": {"id": "0" * 32},
    "/account/organizations/{organization_id}/api-keys/service-accounts/delete": {"id": "0" * 32},
    "/account/api-keys": {"name": "Evil", "password": PASSWORD},
    "/account/api-keys/rotate": {"key_id": "0" * 32, "password": PASSWORD},
    "/account/api-keys/revoke": {"key_id": "0" * 32},
    "/account/applications/disconnect": {"client_key": "0" * 32},
    "/account/organizations/{organization_id}/applications": {"default": "allow"},
    "/account/organizations/{organization_id}/applications/rule": {
        "client_key": "0" * 32,
        "verdict": "allowed",
    },
    "/device": {"user_code": "BCDF-GHJK", "action": "approve", "seal": "x"},
    "/oauth/consent": {"ticket": "ppr_x", "action": "approve"},
    "/oauth/logout/confirm": {},
}

FOREIGN: list[Mapping[str, str]] = [
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://localhost:8001", "Sec-Fetch-Site": "same-site"},
    {"Origin": "http://localhost"},
    {"Origin": "https://localhost:8000"},
    {"Origin": "http://localhost:8000.evil.example"},
    {"Origin": "http://evil.example/http://localhost:8000"},
]

type Sender = Callable[[dict[str, str]], dict[str, Any]]
BODIES: dict[str, Sender] = {
    "urlencoded": lambda fields: {"data": fields},
    "multipart": lambda fields: {"files": {name: (None, value) for name, value in fields.items()}},
    "text": lambda fields: {
        "content": "&".join(f"{name}={value}" for name, value in fields.items()),
        "headers": {"Content-Type": "text/plain"},
    },
    "json-as-text": lambda fields: {"json": fields, "headers": {"Content-Type": "text/plain"}},
    "none": lambda _: {},
}


def form_rows(app: FastAPI) -> list[RouteRow]:
    """Return every route of a page that changes something; machines post to the catch-all of development."""
    return [
        row
        for row in route_table(app)
        if row.method == "POST"
        and row.path != "/dev/webhooks"
        and ".pages" in getattr(row.entry.endpoint, "__module__", "")
    ]


async def test_every_form_is_in_the_corpus(app: FastAPI) -> None:
    assert {row.path for row in form_rows(app)} == FIELDS.keys()


@pytest.mark.bar("CHECK-18", "ASVS-3.5.1", "ASVS-3.5.2")
@pytest.mark.parametrize("foreign", FOREIGN, ids=str)
async def test_no_form_is_taken_from_a_foreign_page(
    browser: Browser, runtime: Runtime, foreign: Mapping[str, str]
) -> None:
    """The browser adds the cookie, and somehow even the right token came along."""
    await sign_up(browser)
    token = fields_of((await browser.open("/account")).form("/logout"))
    before = await state_of(runtime)

    for path, fields in FIELDS.items():
        for kind, body in BODIES.items():
            answer = await _send(browser, path, body({**fields, **token}), foreign)
            assert answer.status_code in {400, 403, 415}, (path, kind)
            assert "set-cookie" not in answer.headers

    assert await state_of(runtime) == before


@pytest.mark.bar("CHECK-18", "ASVS-3.5.1")
async def test_no_form_by_cookie_is_taken_without_the_token_of_this_session(
    browser: Browser, other_browser: Browser, runtime: Runtime
) -> None:
    await sign_up(browser)
    await sign_up(other_browser, "eve@example.com")
    foreign = fields_of((await other_browser.open("/account")).form("/logout"))["csrf_token"]
    before = await state_of(runtime)
    ours = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}

    for path, fields in FIELDS.items():
        for token in ({}, {"csrf_token": ""}, {"csrf_token": foreign}, {"csrf_token": "A" * 43}):
            for kind, body in BODIES.items():
                answer = await _send(browser, path, body({**fields, **token}), ours)
                assert answer.status_code in {400, 403, 415}, (path, token, kind)

    assert await state_of(runtime) == before


@pytest.mark.bar("CHECK-18", "ASVS-7.6.2")
@pytest.mark.parametrize("foreign", FOREIGN, ids=str)
async def test_nobody_is_signed_in_by_a_foreign_page(browser: Browser, foreign: Mapping[str, str]) -> None:
    """Login CSRF: the attacker's own name and password are right."""
    await sign_up(browser)
    await sign_out(browser)

    answer = await _send(browser, "/login", {"data": {"username": ADA, "password": PASSWORD}}, foreign)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_the_same_form_from_our_own_page_is_taken(browser: Browser) -> None:
    """So that the refusals above are not for another reason."""
    await sign_up(browser)
    await sign_out(browser)

    assert (await answer_to_sign_in(browser)).status_code == 303


async def test_a_forged_form_gets_a_page_that_says_what_to_do(browser: Browser) -> None:
    await sign_up(browser)

    answer = await browser.post("/account", {"full_name": "Mallory"})

    assert answer.status_code == 403
    assert "reload it" in answer.text


async def _send(
    browser: Browser, path: str, body: dict[str, Any], foreign: Mapping[str, str]
) -> httpx2.Response:
    headers = {"Accept": ACCEPT, **foreign, **body.pop("headers", {})}
    return await browser.client.post(path, headers=headers, **body)
