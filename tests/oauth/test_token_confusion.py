"""CHECK-4 for the authorization server: each kind of token at each place that takes one; only the diagonal passes.

Every secret that clients, people and servers are handed is made, and each is presented wherever one is consumed. All
but a place's own must be refused there, and change nothing: the right ones are still good afterwards.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from uuid import UUID

import httpx2
import pytest

from portico.core.crypto import b64encode
from portico.oauth.services.back_channel import logout_token
from portico.oauth.services.clients import ClientBook
from portico.oauth.services.initial_tokens import InitialTokens
from portico.oauth.types import REQUEST_URI_PREFIX, ClientPolicy, GrantType, TokenFormat
from tests.oauth.kit import CALLBACK, FORM, VERIFIER, House, TestClient, claims_of
from tests.oauth.opening import SETTINGS
from tests.oauth.presenting import TOOLS, introspected, told

pytestmark = pytest.mark.anyio

API = "http://localhost:8000/api/v1"
CODE, DEVICE = GrantType.AUTHORIZATION_CODE.value, GrantType.DEVICE_CODE.value
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EVERY_GRANT = [CODE, "refresh_token", "client_credentials", DEVICE]


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {**SETTINGS, "oauth": {**SETTINGS["oauth"], "dynamic_registration": "token"}}


class Stage:
    """A client for which every kind of secret was made, and the places at which it presents them."""

    def __init__(self, house: House, client: TestClient, registration: Mapping[str, Any]) -> None:
        self.house = house
        self.client = client
        self.registration = registration

    async def at_userinfo(self, secret: str) -> bool:
        return (await told(self.house, secret)).status_code == 200

    async def at_our_api(self, secret: str) -> bool:
        headers = {"Authorization": f"Bearer {secret}"}
        return (await self.house.http.get("/api/v1/users/me", headers=headers)).status_code == 200

    async def as_session_cookie(self, secret: str) -> bool:
        self.house.http.cookies.clear()
        headers = {"Cookie": f"portico_session={secret}"}
        return (await self.house.http.get("/api/v1/users/me", headers=headers)).status_code == 200

    async def at_introspection(self, secret: str) -> bool:
        return bool((await introspected(self.house, self.client, secret)).json()["active"])

    async def as_code(self, secret: str) -> bool:
        given = {"code": secret, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return await self._token(CODE, **given)

    async def as_refresh_token(self, secret: str) -> bool:
        return await self._token("refresh_token", refresh_token=secret)

    async def as_session_refresh_token(self, secret: str) -> bool:
        answer = await self.house.http.post("/api/v1/auth/refresh", json={"refresh_token": secret})
        return answer.status_code == 200

    async def as_device_code(self, secret: str) -> bool:
        answer = await self.house.token(self.client, grant_type=DEVICE, device_code=secret)
        return str(answer.json()["error"]) in {"authorization_pending", "slow_down"}

    async def as_client_secret(self, secret: str) -> bool:
        given = {"client_id": self.client.client_id, "client_secret": secret}
        return await self._proven(**given)

    async def as_client_assertion(self, secret: str) -> bool:
        return await self._proven(client_assertion_type=ASSERTION, client_assertion=secret)

    async def as_request_uri(self, secret: str) -> bool:
        query = {"client_id": self.client.client_id, "request_uri": REQUEST_URI_PREFIX + secret}
        return (await self.house.get(f"/oauth/authorize?{urlencode(query)}")).status_code == 303

    async def as_ticket(self, secret: str) -> bool:
        answer = await self.house.get(f"/oauth/consent?ticket={quote(secret)}")
        return answer.status_code == 200

    async def as_registration_token(self, secret: str) -> bool:
        uri = urlsplit(self.registration["registration_client_uri"]).path
        answer = await self.house.http.get(uri, headers={"Authorization": f"Bearer {secret}"})
        return answer.status_code == 200

    async def as_initial_token(self, secret: str) -> bool:
        headers = {"Authorization": f"Bearer {secret}"}
        answer = await self.house.http.post(
            "/oauth/register", json={"redirect_uris": [CALLBACK]}, headers=headers
        )
        return answer.status_code == 201

    async def as_hint_of_logout(self, secret: str) -> bool:
        return (await self.house.get(f"/oauth/logout?id_token_hint={quote(secret)}", None)).status_code == 200

    async def _token(self, grant: str, **given: Any) -> bool:
        return (await self.house.token(self.client, grant_type=grant, **given)).status_code == 200

    async def _proven(self, **given: str) -> bool:
        body = urlencode({"grant_type": "client_credentials", **given})
        answer: httpx2.Response = await self.house.http.post("/oauth/token", content=body, headers=FORM)
        return answer.status_code == 200


type Present = Callable[[Stage, str], Awaitable[bool]]

PLACES: Mapping[Present, frozenset[str]] = {
    Stage.at_userinfo: frozenset({"access token", "opaque access token"}),
    Stage.at_our_api: frozenset({"access token for our API", "session access token", "API key"}),
    Stage.as_session_cookie: frozenset({"session cookie"}),
    Stage.at_introspection: frozenset(
        {"access token", "access token for tools", "access token for our API", "refresh token"}
    ),
    Stage.as_device_code: frozenset({"device code"}),
    Stage.as_client_secret: frozenset({"client secret"}),
    Stage.as_client_assertion: frozenset(),
    Stage.as_request_uri: frozenset({"pushed request"}),
    Stage.as_ticket: frozenset({"ticket"}),
    Stage.as_registration_token: frozenset({"registration token"}),
    Stage.as_initial_token: frozenset({"initial access token"}),
    Stage.as_hint_of_logout: frozenset({"ID token"}),
    Stage.as_session_refresh_token: frozenset({"session refresh token"}),
    Stage.as_code: frozenset({"code"}),
    Stage.as_refresh_token: frozenset({"refresh token"}),
}
"""What is good where; that which spends its secret stands last."""


async def every_secret(house: House) -> tuple[Stage, dict[str, str]]:
    """Return one live secret of each kind."""
    client = await house.client(grant_types=EVERY_GRANT, userinfo_signed_response_alg="RS256")
    opaque = await house.client(policy=ClientPolicy(token_format=TokenFormat.OPAQUE))
    tokens = await house.tokens(client, scope="openid offline_access")
    initial = await InitialTokens(house.runtime, house.runtime.unit()).make_token("partner", actor=None)
    spare = await InitialTokens(house.runtime, house.runtime.unit()).make_token("other", actor=None)
    registered = await house.http.post(
        "/oauth/register",
        json={"redirect_uris": [CALLBACK]},
        headers={"Authorization": f"Bearer {spare.text}"},
    )
    assert registered.status_code == 201, registered.text
    stage = Stage(house, client, registered.json())
    ada = house.people["ada"]
    secrets = {
        "access token": tokens["access_token"],
        "access token for tools": await _access(house, client, TOOLS, "tools:read"),
        "access token for our API": await _access(house, client, API, "user:self:read"),
        "opaque access token": (await house.tokens(opaque))["access_token"],
        "refresh token": tokens["refresh_token"],
        "ID token": tokens["id_token"],
        "userinfo answer": (await told(house, tokens["access_token"])).text,
        "introspection answer": await _introspection(house, client, tokens["access_token"]),
        "logout token": await _logout_token(house, client, claims_of(tokens["id_token"])["sid"]),
        "code": (await house.authorize(client))["code"],
        "ticket": _ticket(await house.ask(client, prompt="consent")),
        "pushed request": await _pushed(house, client),
        "device code": await _device_code(house, client),
        "client secret": client.secret or "",
        "registration token": registered.json()["registration_access_token"],
        "initial access token": initial.text,
        "session access token": ada.access_token,
        "session refresh token": ada.refresh_token,
        "session cookie": ada.cookie,
        "API key": await _api_key(house),
        "random": b64encode(house.runtime.entropy.bytes(32)),
    }
    return stage, secrets


async def _access(house: House, client: TestClient, resource: str, scope: str) -> str:
    return str((await house.tokens(client, resource=resource, scope=scope))["access_token"])


async def _introspection(house: House, client: TestClient, token: str) -> str:
    answer = await introspected(house, client, token, accept="application/token-introspection+jwt")
    return answer.text


async def _logout_token(house: House, client: TestClient, sid: str) -> str:
    found = await house.runtime.get(ClientBook).find_known(client.client_id)
    assert found is not None
    return await logout_token(house.runtime, found, UUID(sid), house.people["ada"].id)


def _ticket(asked: httpx2.Response) -> str:
    return parse_qs(urlsplit(asked.headers["location"]).query)["ticket"][0]


async def _pushed(house: House, client: TestClient) -> str:
    answer = await house.http.post("/oauth/par", data=house.request(client), headers=client.basic)
    return str(answer.json()["request_uri"]).removeprefix(REQUEST_URI_PREFIX)


async def _device_code(house: House, client: TestClient) -> str:
    answer = await house.http.post(
        "/oauth/device_authorization", data={"scope": "openid"}, headers=client.basic
    )
    return str(answer.json()["device_code"])


async def _api_key(house: House) -> str:
    answer = await house.http.post(
        "/api/v1/api-keys",
        json={"name": "a key", "scopes": ["user:self:read"]},
        headers=house.people["ada"].bearer,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["key"])


@pytest.mark.bar("CHECK-4", "ASVS-9.2.2", "A11-11.1")
async def test_each_token_is_good_in_its_own_place_only(house: House) -> None:
    stage, secrets = await every_secret(house)
    assert len(set(secrets.values())) == len(secrets)
    assert all(own <= secrets.keys() for own in PLACES.values())

    # First every wrong cell, while all secrets are live; then the right ones, which spend theirs.
    wrong = [
        (present.__name__, kind)
        for present, own in PLACES.items()
        for kind in secrets.keys() - own
        if await present(stage, secrets[kind])
    ]
    right = {
        present: {kind for kind in own if await present(stage, secrets[kind])}
        for present, own in PLACES.items()
    }

    assert wrong == []
    assert right == {present: set(own) for present, own in PLACES.items()}
