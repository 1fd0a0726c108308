"""Clients that register themselves, look at themselves, change and go (RFC 7591; RFC 7592)."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import select, update

from portico.access.models import PrincipalRow
from portico.oauth.models import OAuthClient, OAuthClientSecret
from portico.oauth.repositories import ClientRepository
from portico.oauth.services.clients import ClientBook
from portico.oauth.services.initial_tokens import InitialTokens
from portico.oauth.services.unused_clients import remove_unused_clients
from portico.oauth.types import ClientSource
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.sinks import HttpSink, answering

pytestmark = pytest.mark.anyio

CALLBACK = "https://app.example/cb"
BODY: dict[str, Any] = {"client_name": "App", "redirect_uris": [CALLBACK]}


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "oauth": {"dynamic_registration": "open"},
        "outbound": {"allow_loopback": True},
        "logging": {"access": False},
    }


async def register(client: httpx2.AsyncClient, token: str | None = None, **given: Any) -> httpx2.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await client.post("/oauth/register", json={**BODY, **given}, headers=headers)


async def registered(client: httpx2.AsyncClient, **given: Any) -> dict[str, Any]:
    answer = await register(client, **given)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def manage(
    client: httpx2.AsyncClient,
    method: str,
    made: dict[str, Any],
    body: Any = None,
    token: str | bytes | None = None,
) -> httpx2.Response:
    shown = token or made["registration_access_token"]
    shown = shown.encode() if isinstance(shown, str) else shown
    headers = {b"Authorization": b"bearer " + shown}
    return await client.request(method, made["registration_client_uri"], json=body, headers=headers)


def error_of(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


async def secrets_of(runtime: Runtime, client_id: str) -> int:
    async with runtime.reads() as session:
        rows = await session.scalars(
            select(OAuthClientSecret).where(OAuthClientSecret.client_key == UUID(client_id))
        )
        return len(rows.all())


@pytest.mark.bar("A7-7.1", "A30-30.10", "A1-1.23")
async def test_registration_answers_with_all_that_was_registered(
    client: httpx2.AsyncClient, runtime: Runtime, clock: FrozenClock
) -> None:
    answer = await register(
        client, scope="openid profile", grant_types=["authorization_code", "refresh_token"]
    )

    document = answer.json()
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert document == {
        "client_id": document["client_id"],
        "client_id_issued_at": int(clock.now().timestamp()),
        "client_secret": document["client_secret"],
        "client_secret_expires_at": 0,
        "registration_access_token": document["registration_access_token"],
        "registration_client_uri": f"http://localhost:8000/oauth/register/{document['client_id']}",
        "client_name": "App",
        "redirect_uris": [CALLBACK],
        "scope": "openid profile",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
    }
    assert document["client_secret"].startswith("pcs_")
    assert document["registration_access_token"].startswith("prg_")
    found = await runtime.get(ClientBook).find(document["client_id"])
    assert found is not None
    assert found.source is ClientSource.DYNAMIC
    assert found.requires_pkce


@pytest.mark.bar("A1-1.23", "A7-7.7")
async def test_secret_and_token_are_nowhere_in_the_database(
    client: httpx2.AsyncClient, runtime: Runtime
) -> None:
    made = await registered(client)

    async with runtime.reads() as session:
        tables = (OAuthClient.__table__, OAuthClientSecret.__table__)
        text = repr([(await session.execute(select(table))).all() for table in tables])
    assert made["client_id"] in text
    assert made["client_secret"] not in text
    assert made["registration_access_token"] not in text


@pytest.mark.bar("A30-30.10")
async def test_public_client_gets_no_secret(client: httpx2.AsyncClient, runtime: Runtime) -> None:
    made = await registered(client, token_endpoint_auth_method="none")

    assert "client_secret" not in made
    assert "client_secret_expires_at" not in made
    assert made["token_endpoint_auth_method"] == "none"
    assert await secrets_of(runtime, made["client_id"]) == 0


REAL_CLIENTS: list[dict[str, Any]] = [
    {
        "client_name": "Cursor",
        "redirect_uris": [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ],
        "token_endpoint_auth_method": "none",
    },
    {
        "client_name": "Claude",
        "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "mcp:tools",
    },
    {
        "client_name": "ChatGPT",
        "redirect_uris": ["https://chatgpt.com/connector_platform_oauth_redirect"],
        "token_endpoint_auth_method": "none",
        "client_uri": "",
        "logo_uri": None,
    },
    {
        "client_name": "OpenCode",
        "client_uri": "https://opencode.ai",
        "redirect_uris": ["http://127.0.0.1:19876/mcp/oauth/callback"],
        "token_endpoint_auth_method": "none",
        "resource": "https://api.example/mcp",
        "x_own": {"a": 1},
    },
    {
        "client_name": "Visual Studio Code",
        "redirect_uris": ["http://127.0.0.1:33418/", "http://127.0.0.1/", "https://vscode.dev/redirect"],
        "application_type": "native",
        "token_endpoint_auth_method": "none",
    },
]


@pytest.mark.bar("A7-7.6", "A7-7.2", "A30-30.5")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_real_clients_register(client: httpx2.AsyncClient) -> None:
    for body in REAL_CLIENTS:
        answer = await client.post("/oauth/register", json=body)

        assert answer.status_code == 201, answer.text
        assert answer.json()["redirect_uris"] == body["redirect_uris"]
        assert answer.json()["token_endpoint_auth_method"] == body["token_endpoint_auth_method"]


BAD_METADATA: list[tuple[dict[str, Any], str]] = [
    ({"tls_client_certificate_bound_access_tokens": True}, "invalid_client_metadata"),
    ({"redirect_uris": []}, "invalid_redirect_uri"),
    ({"redirect_uris": ["http://app.example/cb"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
    ({"redirect_uris": [CALLBACK, "https://app.example/#x"]}, "invalid_redirect_uri"),
    ({"logo_uri": "javascript:alert(1)"}, "invalid_client_metadata"),
    ({"client_name": {"x": 1}}, "invalid_client_metadata"),
    ({"grant_types": ["password"]}, "invalid_client_metadata"),
    ({"jwks": {"keys": []}, "jwks_uri": CALLBACK}, "invalid_client_metadata"),
    ({"software_statement": "no"}, "invalid_software_statement"),
]
BAD_BODIES = [
    (b"", "application/json"),
    (b"[]", "application/json"),
    (b"{", "application/json"),
    (b"null", "application/json"),
    (b'{"redirect_uris": ["https://a.example/"], "redirect_uris": []}', "application/json"),
    (b"[" * 20_000, "application/json"),
    (b"\xff", "application/json"),
    (b"{}", "text/plain"),
    (b"{}", ""),
    (b"redirect_uris=x", "application/x-www-form-urlencoded"),
]


@pytest.mark.bar("A7-7.3", "A1-1.24", "CHECK-22", "ASVS-1.2.2", "CVE-2026-29192")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_bad_metadata_is_told_by_its_code(client: httpx2.AsyncClient) -> None:
    for given, error in BAD_METADATA:
        answer = await register(client, **given)

        assert (given, *error_of(answer)) == (given, 400, error)
        assert answer.headers["cache-control"] == "no-store"
        assert "javascript" not in answer.text


@pytest.mark.bar("A7-7.3", "CHECK-20")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_body_that_is_no_metadata_is_refused(client: httpx2.AsyncClient) -> None:
    for body, kind in BAD_BODIES:
        answer = await client.post("/oauth/register", content=body, headers={"Content-Type": kind})

        assert (body[:20], *error_of(answer)) == (body[:20], 400, "invalid_client_metadata")


@pytest.mark.bar("CHECK-20")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_huge_body_is_too_large(client: httpx2.AsyncClient) -> None:
    answer = await register(client, client_name="x" * 1_000_000)

    assert answer.status_code == 413


@pytest.mark.bar("A7-7.5", "A1-1.18")
async def test_stranger_gets_no_grant_without_a_person(client: httpx2.AsyncClient) -> None:
    made = await registered(client, grant_types=["authorization_code", "client_credentials"])
    alone = await register(client, grant_types=["client_credentials"], redirect_uris=[])

    assert made["grant_types"] == ["authorization_code"]
    assert error_of(alone) == (400, "invalid_client_metadata")


@pytest.mark.bar("CHECK-22")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_nobody_calls_itself_like_us(client: httpx2.AsyncClient) -> None:
    for name in ("Portico", "PORTICO", "P\u043ertic\u043e", "P o r t i c o", "Portíco"):
        made = await registered(client, client_name=name)

        assert "client_name" not in made


@pytest.mark.bar("A7-7.7")
async def test_client_reads_its_registration(client: httpx2.AsyncClient) -> None:
    made = await registered(client)

    answer = await manage(client, "GET", made)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {k: v for k, v in made.items() if not k.startswith("client_secret")}


@pytest.mark.bar("A7-7.7", "CVE-2023-0091")
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_registration_opens_by_its_own_token_only(client: httpx2.AsyncClient, method: str) -> None:
    made, other = await registered(client), await registered(client)
    unknown = {**made, "registration_client_uri": "/oauth/register/019a0000-0000-7000-8000-000000000000"}
    body = {**BODY, "client_id": made["client_id"]} if method == "PUT" else None
    own, foreign = made["registration_access_token"], other["registration_access_token"]

    answers = [
        await manage(client, method, made, body, token=foreign),
        await manage(client, method, made, body, token=own.swapcase().replace("PRG_", "prg_")),
        await manage(client, method, made, body, token=made["client_secret"]),
        await manage(client, method, made, body, token=b"\xe9"),
        await manage(client, method, unknown, body),
    ]
    bare = await client.request(method, made["registration_client_uri"], json=body)

    assert {error_of(answer) for answer in answers} == {(401, "invalid_token")}
    assert {answer.text for answer in answers} == {answers[0].text}
    assert all("invalid_token" in answer.headers["www-authenticate"] for answer in answers)
    assert (bare.status_code, bare.headers["www-authenticate"]) == (401, "Bearer")
    assert (await manage(client, "GET", made)).status_code == 200


@pytest.mark.bar("A7-7.7")
async def test_change_replaces_everything(client: httpx2.AsyncClient, runtime: Runtime) -> None:
    made = await registered(client, scope="openid", client_uri="https://app.example")
    await runtime.get(ClientBook).find(made["client_id"])
    body = {
        "client_id": made["client_id"],
        "client_secret": made["client_secret"],
        "client_name": "Other",
        "redirect_uris": ["https://app.example/new"],
    }

    answer = await manage(client, "PUT", made, body)

    document = answer.json()
    assert answer.status_code == 200
    assert document["redirect_uris"] == ["https://app.example/new"]
    assert "scope" not in document
    assert "client_uri" not in document
    assert "client_secret" not in document
    found = await runtime.get(ClientBook).find(made["client_id"])
    assert found is not None
    assert found.has_redirect("https://app.example/new")
    assert not found.has_redirect(CALLBACK)


@pytest.mark.bar("A7-7.7")
async def test_change_that_does_not_fit_changes_nothing(client: httpx2.AsyncClient) -> None:
    made = await registered(client)
    changes: list[dict[str, Any]] = [
        {"client_id": None},
        {"client_id": "019a0000-0000-7000-8000-000000000000"},
        {"client_secret": "pcs_wrong"},
        {"client_secret": 7},
        {"redirect_uris": ["http://app.example/cb"]},
        {"redirect_uris": []},
    ]
    for change in changes:
        answer = await manage(client, "PUT", made, {**BODY, "client_id": made["client_id"], **change})

        assert (change, answer.status_code) == (change, 400)
        assert (await manage(client, "GET", made)).json()["redirect_uris"] == [CALLBACK]


@pytest.mark.bar("A7-7.7", "CVE-2026-15572", "CHECK-22")
async def test_change_asks_the_whole_policy_again(client: httpx2.AsyncClient) -> None:
    """What a stranger could not register, it cannot reach by changing something afterwards."""
    made = await registered(client)
    own = {"client_id": made["client_id"]}

    answers = [
        await manage(client, "PUT", made, {**BODY, **own, "grant_types": ["client_credentials"]}),
        await manage(client, "PUT", made, {**BODY, **own, "logo_uri": "javascript:alert(1)"}),
        await manage(client, "PUT", made, {**BODY, **own, "redirect_uris": ["myapp://x"]}),
    ]
    softly = await manage(
        client,
        "PUT",
        made,
        {**BODY, **own, "grant_types": ["authorization_code", "client_credentials"], "is_trusted": True,
         "policy": {"is_trusted": True}, "requires_pkce": False, "source": "administrator", "scope": "admin"},
    )  # fmt: skip

    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert softly.json()["grant_types"] == ["authorization_code"]
    assert not {"is_trusted", "policy", "requires_pkce", "source", "scope"} & softly.json().keys()


@pytest.mark.bar("A7-7.7", "A7-7.4")
async def test_secret_comes_and_goes_with_the_method(client: httpx2.AsyncClient, runtime: Runtime) -> None:
    made = await registered(client, token_endpoint_auth_method="none")
    own = {**BODY, "client_id": made["client_id"]}

    with_secret = await manage(
        client, "PUT", made, {**own, "token_endpoint_auth_method": "client_secret_post"}
    )
    again = await manage(client, "PUT", made, {**own, "token_endpoint_auth_method": "client_secret_basic"})
    without = await manage(client, "PUT", made, {**own, "token_endpoint_auth_method": "none"})

    assert with_secret.json()["client_secret"].startswith("pcs_")
    assert "client_secret" not in again.json()
    assert "client_secret" not in without.json()
    assert await secrets_of(runtime, made["client_id"]) == 0


@pytest.mark.bar("A7-7.7")
async def test_deleted_client_is_gone(client: httpx2.AsyncClient, runtime: Runtime) -> None:
    made = await registered(client)
    assert await runtime.get(ClientBook).find(made["client_id"]) is not None

    answer = await manage(client, "DELETE", made)

    assert (answer.status_code, answer.content) == (204, b"")
    assert await runtime.get(ClientBook).find(made["client_id"]) is None
    assert error_of(await manage(client, "GET", made)) == (401, "invalid_token")
    async with runtime.reads() as session:
        assert await session.get(PrincipalRow, UUID(made["client_id"])) is None


async def switch_off(runtime: Runtime, client_id: str) -> None:
    async with (unit := runtime.unit()):
        await unit.session.execute(
            update(OAuthClient)
            .where(OAuthClient.client_id == client_id)
            .values(disabled_at=runtime.clock.now())
        )


@pytest.mark.bar("CHECK-3")
async def test_client_that_is_switched_off_changes_nothing(
    client: httpx2.AsyncClient, runtime: Runtime
) -> None:
    made = await registered(client)
    await switch_off(runtime, made["client_id"])
    body = {**BODY, "client_id": made["client_id"]}

    answers = [
        await manage(client, "GET", made),
        await manage(client, "PUT", made, body),
        await manage(client, "DELETE", made),
    ]

    assert [error_of(answer) for answer in answers] == [(403, "access_denied")] * 3


async def note_use(runtime: Runtime, client_id: str) -> None:
    async with (unit := runtime.unit()):
        await ClientRepository(unit.session).note_use(UUID(client_id), runtime.clock.now())


@pytest.mark.bar("A7-7.5")
async def test_unused_clients_are_forgotten_and_used_ones_stay(
    client: httpx2.AsyncClient, runtime: Runtime, clock: FrozenClock
) -> None:
    unused, used = await registered(client), await registered(client)
    await note_use(runtime, used["client_id"])
    early = await remove_unused_clients(runtime)
    clock.advance(timedelta(days=7, seconds=1))
    young = await registered(client)

    assert (early, await remove_unused_clients(runtime)) == (0, 1)
    assert (await manage(client, "GET", unused)).status_code == 401
    assert (await manage(client, "GET", used)).status_code == 200
    assert (await manage(client, "GET", young)).status_code == 200


@pytest.mark.parametrize("database_kind", ["sqlite"])
class TestSector:
    """A client with several hosts names a document that lists its redirect URIs (Registration 1.0, section 5)."""

    @pytest.mark.bar("A25-25.9", "A7-7.8")
    async def test_document_that_names_all_is_good(self, client: httpx2.AsyncClient) -> None:
        uris = [CALLBACK, "https://other.example/cb"]
        async with HttpSink(
            answering(200, json.dumps(uris).encode(), {"Content-Type": "application/json"})
        ) as sink:
            made = await registered(
                client, redirect_uris=uris, subject_type="pairwise", sector_identifier_uri=sink.url
            )

        assert made["sector_identifier_uri"] == sink.url
        assert len(sink.received) == 1

    @pytest.mark.bar("A25-25.9", "A7-7.8")
    async def test_any_other_is_refused(self, client: httpx2.AsyncClient) -> None:
        headers = {"Content-Type": "application/json", "Location": "https://app.example/sector"}
        async with HttpSink() as sink:
            for status, body in [(200, b"[]"), (200, b"{}"), (404, b"[]"), (302, b""), (200, b"[" * 70_000)]:
                sink.behaviour = answering(status, body, headers)
                sink.received.clear()
                answer = await register(client, subject_type="pairwise", sector_identifier_uri=sink.url)

                assert (status, *error_of(answer)) == (status, 400, "invalid_client_metadata")
                assert len(sink.received) == 1


class TestByToken:
    """Registration for those who have an initial access token."""

    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"oauth": {"dynamic_registration": "token"}, "logging": {"access": False}}

    @pytest.mark.bar("A7-7.5")
    async def test_without_a_token_nobody_registers(self, client: httpx2.AsyncClient) -> None:
        bare = await register(client)
        wrong = await register(client, token="pia_wrong")
        other = await register(client, token="pia_" + "A" * 43 + "AAAAAA")

        assert (bare.status_code, bare.headers["www-authenticate"]) == (401, "Bearer")
        assert [error_of(wrong), error_of(other)] == [(401, "invalid_token")] * 2

    @pytest.mark.bar("A7-7.5")
    async def test_token_is_good_as_often_as_it_says_and_lets_have_more(
        self, client: httpx2.AsyncClient, runtime: Runtime
    ) -> None:
        token = await InitialTokens(runtime, runtime.unit()).make_token("partner", uses=1, actor=None)
        wish = {"grant_types": ["client_credentials"], "redirect_uris": []}

        first = await register(client, token=token.text, **wish)
        second = await register(client, token=token.text, **wish)

        assert first.status_code == 201
        assert first.json()["grant_types"] == ["client_credentials"]
        assert error_of(second) == (401, "invalid_token")
        changed = await manage(client, "PUT", first.json(), {**wish, "client_id": first.json()["client_id"]})
        assert changed.status_code == 200

    @pytest.mark.bar("A7-7.5")
    async def test_use_is_not_spent_on_metadata_that_is_refused(
        self, client: httpx2.AsyncClient, runtime: Runtime
    ) -> None:
        token = await InitialTokens(runtime, runtime.unit()).make_token("partner", uses=1, actor=None)

        refused = await register(client, token=token.text, redirect_uris=["javascript:x"])

        assert refused.status_code == 400
        assert (await register(client, token=token.text)).status_code == 201

    @pytest.mark.bar("A7-7.5", "CHECK-3")
    async def test_revoked_and_expired_tokens_are_not_good(
        self, client: httpx2.AsyncClient, runtime: Runtime, clock: FrozenClock
    ) -> None:
        revoked = await InitialTokens(runtime, runtime.unit()).make_token("one", actor=None)
        expired = await InitialTokens(runtime, runtime.unit()).make_token(
            "two", lifetime=timedelta(hours=1), actor=None
        )
        listed = await InitialTokens(runtime, runtime.unit()).list_tokens()
        assert await InitialTokens(runtime, runtime.unit()).revoke_token(revoked.id, actor=None)
        clock.advance(timedelta(hours=1))

        answers = [await register(client, token=each.text) for each in (revoked, expired)]

        assert [error_of(answer) for answer in answers] == [(401, "invalid_token")] * 2
        assert [each.name for each in listed] == ["two", "one"]
        assert not any(each.text for each in listed)
        assert not await InitialTokens(runtime, runtime.unit()).revoke_token(revoked.id, actor=None)

    @pytest.mark.bar("CHECK-12")
    async def test_of_many_who_take_the_last_use_at_once_one_gets_it(
        self, client: httpx2.AsyncClient, runtime: Runtime
    ) -> None:
        token = await InitialTokens(runtime, runtime.unit()).make_token("partner", uses=1, actor=None)

        answers = await asyncio.gather(*(register(client, token=token.text) for _ in range(20)))

        assert sorted(answer.status_code for answer in answers) == [201] + [401] * 19


@pytest.mark.parametrize("database_kind", ["sqlite"])
class TestOff:
    """Registration that is switched off."""

    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"oauth": {"dynamic_registration": "off"}, "logging": {"access": False}}

    @pytest.mark.bar("A7-7.5", "A4-4.4")
    async def test_nobody_registers_and_nothing_says_so(self, client: httpx2.AsyncClient) -> None:
        answer = await register(client)
        document = (await client.get("/.well-known/oauth-authorization-server")).json()

        assert error_of(answer) == (404, "registration_not_supported")
        assert "registration_endpoint" not in document


class TestFew:
    """A deployment with room for few."""

    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {
            "oauth": {"dynamic_registration": "open", "max_dynamic_clients": 2},
            "logging": {"access": False},
        }

    @pytest.mark.bar("A7-7.5", "ASVS-10.4.7")
    async def test_registering_stops_when_it_is_full(self, client: httpx2.AsyncClient) -> None:
        answers = [await register(client) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [201, 201, 503]
        assert answers[-1].json()["error"] == "temporarily_unavailable"
        assert int(answers[-1].headers["retry-after"]) > 0

    @pytest.mark.bar("A7-7.5", "ASVS-10.4.7")
    async def test_flood_of_new_clients_drives_out_itself_and_no_used_one(
        self, client: httpx2.AsyncClient, runtime: Runtime, clock: FrozenClock
    ) -> None:
        used, unused = await registered(client), await registered(client)
        await note_use(runtime, used["client_id"])
        clock.advance(timedelta(minutes=31))

        late = await register(client)

        assert late.status_code == 201
        assert (await manage(client, "GET", used)).status_code == 200
        assert (await manage(client, "GET", unused)).status_code == 401
