"""A resource in the same process as its authorization server, on both databases: what ends a token, ends it at once."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings

from portico.app import default_features
from portico.feature import Feature
from portico.http.dependencies import UnitDep
from portico.http.routing import route_table
from portico.oauth.protocol.jose import sign, thumbprint
from portico.oauth.protocol.rfc9449_dpop import token_hash
from portico.oauth.protocol.rfc9728_protected_resources import document_url
from portico.oauth.services.client_ending import delete_client
from portico.oauth.services.grants import Grants
from portico.oauth.types import ClientPolicy, GrantEnd, TokenFormat
from portico.resource_server import TokenHolder, protected_resource, token_holder
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.users.services import Users
from tests.oauth.conftest import house
from tests.oauth.kit import House, TestClient, claims_of
from tests.resource_server.conftest import key_pair, public_half
from tests.sessions.people import FAST_HASHES

__all__ = ["house"]

pytestmark = pytest.mark.anyio

MCP = "http://localhost:8000/mcp"
API = "http://localhost:8000/shelf"
KEY = key_pair("holder")


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": FAST_HASHES, "rate_limit": {"enabled": False}}


@pytest.fixture
def features() -> Sequence[Feature]:
    return [*default_features(), mcp_feature(), api_feature()]


def mcp_feature() -> Feature:
    server: MCPServer[Any] = MCPServer("test")

    @server.tool()
    async def read(here: Context[Any, Any]) -> str:
        return token_holder(here.request_context.request).sub

    app = server.streamable_http_app(
        stateless_http=True,
        json_response=True,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    scopes = {"notes:read": "Read your notes", "notes:write": "Change your notes"}
    resource = protected_resource(MCP, name="Notes", scopes=scopes)
    return resource.feature("notes", app, ["notes:read"], tools={"write": ["notes:write"]})


def api_feature() -> Feature:
    shelf = protected_resource(API, scopes={"shelf:read": "See your shelf"}, requires_dpop_nonce=True)
    router = APIRouter()

    @router.get("/shelf")
    async def read(holder: Annotated[TokenHolder, Depends(shelf.requires("shelf:read"))]) -> dict[str, Any]:
        return {"sub": holder.sub, "is_client": holder.is_client}

    @router.post("/shelf")
    async def write(_: Annotated[TokenHolder, Depends(shelf.requires("shelf:read"))], unit: UnitDep) -> str:
        async with unit:
            return "written"

    return Feature(
        name="shelf",
        root_routes=[shelf.router, router],
        contributes={type(shelf.as_registered()): [shelf.as_registered()]},
    )


async def read(house: House, token: str, **headers: str) -> httpx2.Response:
    house.http.cookies.clear()
    return await house.http.get("/shelf", headers={"Authorization": f"Bearer {token}", **headers})


async def shelf_tokens(house: House, client: TestClient, **given: Any) -> dict[str, Any]:
    return await house.tokens(client, resource=API, scope="shelf:read", **given)


@pytest.mark.bar("A30-30.22")
async def test_token_of_a_person(house: House) -> None:
    tokens = await shelf_tokens(house, await house.public_client())
    answer = await read(house, tokens["access_token"])

    assert answer.json() == {"sub": str(house.people["ada"].id), "is_client": False}


async def test_token_of_a_client_itself(house: House) -> None:
    client = await house.client(redirect_uris=[], grant_types=["client_credentials"])
    token = (await house.token(client, grant_type="client_credentials", resource=API)).json()["access_token"]
    answer = await read(house, token)

    assert answer.json() == {"sub": client.client_id, "is_client": True}


async def test_opaque_token(house: House) -> None:
    client = await house.client(policy=ClientPolicy(token_format=TokenFormat.OPAQUE))
    token = (await shelf_tokens(house, client))["access_token"]
    elsewhere = (await house.tokens(client, resource=MCP, scope="notes:read"))["access_token"]

    assert token.startswith("pot_")
    assert (await read(house, token)).status_code == 200
    assert (await read(house, elsewhere)).status_code == 401
    assert (await read(house, token[:-1] + "x")).status_code == 401


@pytest.mark.bar("A30-30.22", "A11-11.1", "CHECK-4")
async def test_tokens_for_everything_else(house: House) -> None:
    client = await house.public_client()
    other = await house.tokens(client, resource=MCP, scope="notes:read")
    at_userinfo = await house.tokens(client, scope="openid offline_access", prompt="consent")
    wrong = [
        other["access_token"],
        at_userinfo["access_token"],
        at_userinfo["id_token"],
        at_userinfo["refresh_token"],
        house.people["ada"].access_token,
    ]

    assert [(await read(house, token)).status_code for token in wrong] == [401] * len(wrong)


type End = Callable[[House, TestClient, dict[str, Any]], Awaitable[Any]]


async def end_grant(house: House, _: TestClient, claims: dict[str, Any]) -> None:
    await Grants(house.runtime, house.runtime.unit()).end(
        [UUID(claims["grant_id"])], GrantEnd.REVOKED_BY_PERSON
    )


async def end_client(house: House, client: TestClient, _: dict[str, Any]) -> None:
    async with house.runtime.unit() as unit:
        await delete_client(house.runtime, unit, client.key, client.client_id)


async def end_person(house: House, *_: Any) -> None:
    runtime = house.runtime
    await Users(runtime, runtime.unit()).deactivate_user(house.people["ada"].account.id)


ENDS: dict[str, tuple[End, TokenFormat]] = {
    "grant": (end_grant, TokenFormat.JWT),
    "grant of an opaque token": (end_grant, TokenFormat.OPAQUE),
    "client": (end_client, TokenFormat.JWT),
    "person": (end_person, TokenFormat.JWT),
}


@pytest.mark.bar("CHECK-3", "A1-1.10")
@pytest.mark.parametrize(("end", "token_format"), ENDS.values(), ids=ENDS.keys())
async def test_what_ended_is_refused_at_once(house: House, end: End, token_format: TokenFormat) -> None:
    client = await house.client(policy=ClientPolicy(token_format=token_format))
    tokens = await shelf_tokens(house, client)
    claims = await claims_at(house, tokens["access_token"])
    before = [(await read(house, tokens["access_token"])).status_code for _ in range(2)]
    await end(house, client, claims)
    after = await read(house, tokens["access_token"])

    assert (before, after.status_code) == ([200, 200], 401)
    assert 'error="invalid_token"' in after.headers["www-authenticate"]


async def claims_at(house: House, token: str) -> dict[str, Any]:
    """Return what a token says; of an opaque one what the database keeps."""
    if not token.startswith("pot_"):
        return claims_of(token)
    from portico.oauth.services.presented_tokens import PresentedTokens

    return dict((await PresentedTokens(house.runtime).read(token, audience=API)).claims)


async def test_token_is_over_in_time(house: House, clock: FrozenClock) -> None:
    token = (await shelf_tokens(house, await house.public_client()))["access_token"]
    before = await read(house, token)
    clock.advance(timedelta(minutes=15))

    assert (before.status_code, (await read(house, token)).status_code) == (200, 401)


@pytest.mark.bar("A15-15.1", "A15-15.2")
async def test_proof_carries_our_nonce_and_counts_once(house: House, clock: FrozenClock) -> None:
    client = await house.public_client(dpop_bound_access_tokens=True)
    back = await house.authorize(client, resource=API, scope="shelf:read")
    minting = proof(clock, "POST", "http://localhost:8000/oauth/token")
    tokens = await house.exchange(client, back, headers={"DPoP": minting})
    token = tokens["access_token"]
    first = await shown(house, token, proof(clock, "GET", API, token, jti="1"))
    nonce = first.headers["dpop-nonce"]
    good = proof(clock, "GET", API, token, jti="2", nonce=nonce)
    answers = await asyncio.gather(*(shown(house, token, good) for _ in range(5)))

    assert tokens["token_type"] == "DPoP"
    assert (first.status_code, sorted(each.status_code for each in answers)) == (401, [200, *[401] * 4])
    assert first.headers["www-authenticate"].startswith('DPoP error="use_dpop_nonce"')


def proof(clock: FrozenClock, method: str, url: str, token: str | None = None, **more: Any) -> str:
    claims = {"htm": method, "htu": url, "iat": int(clock.now().timestamp()), "jti": "0", **more}
    if token is not None:
        claims["ath"] = token_hash(token)
    return sign(claims, KEY, "ES256", header={"typ": "dpop+jwt", "jwk": public_half(KEY)})


async def shown(house: House, token: str, proof_: str) -> httpx2.Response:
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof_}
    return await house.http.get("/shelf", headers=headers)


def test_thumbprint_is_that_of_the_public_half() -> None:
    assert thumbprint(KEY) == thumbprint(public_half(KEY))


async def call(house: House, tool: str, token: str | None) -> httpx2.Response:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return await house.http.post("/mcp", content=json.dumps(message), headers=headers)


@pytest.mark.bar("A30-30.20", "A30-30.23", "A5-5.1", "A5-5.2")
async def test_mcp_server_in_the_same_process(house: House) -> None:
    tokens = await house.tokens(await house.public_client(), resource=MCP, scope="notes:read")
    token = tokens["access_token"]
    asked, served, refused = (
        await call(house, "read", None),
        await call(house, "read", token),
        await call(house, "write", token),
    )
    document = (await house.http.get("/.well-known/oauth-protected-resource/mcp")).json()

    assert (asked.status_code, served.status_code, refused.status_code) == (401, 200, 403)
    assert served.json()["result"]["content"][0]["text"] == str(house.people["ada"].id)
    assert document["authorization_servers"] == ["http://localhost:8000"]
    assert document["resource"] == MCP


async def test_resource_is_shown_to_the_person_in_plain_words(house: House) -> None:
    client = await house.public_client()
    asked = await house.ask(client, resource=MCP, scope="notes:read")
    page = await house.get(asked.headers["location"])

    assert "Read your notes" in page.text


async def test_pages_of_every_origin_read_the_metadata(house: House) -> None:
    answer = await house.http.get(
        "/.well-known/oauth-protected-resource/mcp", headers={"Origin": "http://localhost:6274"}
    )

    assert answer.headers.get_list("access-control-allow-origin") == ["*"]


async def test_kept_answer_is_given_to_nobody(house: House, app: FastAPI) -> None:
    token = (await shelf_tokens(house, await house.public_client()))["access_token"]
    key = {"Idempotency-Key": "4f8d2c1e-0000-4000-8000-000000000000"}
    first = await house.http.post("/shelf", headers={"Authorization": f"Bearer {token}", **key})
    second = await house.http.post("/shelf", headers={"Authorization": "Bearer other", **key})
    keeps = {row.path: row.entry.keeps_answers for row in route_table(app) if row.path in {"/shelf", "/mcp"}}

    assert (first.status_code, second.status_code) == (200, 401)
    assert keeps == {"/shelf": False, "/mcp": False}


async def test_runtime_is_found_without_being_named(runtime: Runtime, client: httpx2.AsyncClient) -> None:
    answer = await client.get("/shelf")

    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert runtime.settings.public_url in answer.headers["www-authenticate"]


@pytest.mark.bar("A30-30.22")
async def test_a_slash_at_the_end_leads_to_the_same_server_and_the_same_guard(house: House) -> None:
    """People type it; the audience stays the resource as it was declared."""
    token = (await house.tokens(await house.public_client(), resource=MCP, scope="notes:read"))[
        "access_token"
    ]
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    without = await house.http.post("/mcp/", json=call)
    given = await house.http.post("/mcp/", json=call, headers=headers)
    same = await house.http.post("/mcp", json=call, headers=headers)

    assert without.status_code == 401
    assert f'resource_metadata="{document_url(MCP)}"' in without.headers["www-authenticate"]
    assert (given.status_code, given.text) == (same.status_code, same.text)
    assert "read" in given.text


@pytest.mark.parametrize("path", ["/mcp", "/.well-known/oauth-protected-resource/mcp"])
@pytest.mark.bar("A4-4.5")
async def test_a_preflight_says_once_who_may_read(house: House, path: str) -> None:
    """Also where the application behind the path takes every method; browsers refuse `*, *` (Fetch, CORS check)."""
    method = "POST" if path == "/mcp" else "GET"
    headers = {"Origin": "https://inspector.example", "Access-Control-Request-Method": method}
    answer = await house.http.options(path, headers=headers)

    assert answer.status_code == 204
    assert answer.headers.get_list("access-control-allow-origin") == ["*"]
    assert "MCP-Protocol-Version" in answer.headers["access-control-allow-headers"]
