"""Clients as administrators make and see them: `/admin/oauth/clients`."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from portico.oauth.types import ClientSource
from portico.runtime import Runtime
from tests.integration.ground import TRACES, dump, nothing_written
from tests.oauth.kit import House, claims_of
from tests.oauth.offices import CALLBACKS, CLIENTS, TOKENS, Office, developed, fields_of

pytestmark = pytest.mark.anyio

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "use": "sig",
    "alg": "ES256",
    "kid": "1",
}
MCP = "https://api.example.com/mcp"
LASTING_OAUTH = {"dynamic_registration": "token"}


class TestMaking:
    @pytest.mark.parametrize(
        ("kind", "method", "grant_types", "has_secret"),
        [
            ("browser", "none", ["authorization_code", "refresh_token"], False),
            ("native", "none", ["authorization_code", "refresh_token"], False),
            ("mcp", "none", ["authorization_code", "refresh_token"], False),
            ("server", "client_secret_basic", ["authorization_code", "refresh_token"], True),
            ("device", "none", [DEVICE, "refresh_token"], False),
            ("machine", "client_secret_basic", ["client_credentials"], True),
        ],
    )
    async def test_a_kind_says_how_a_client_begins(
        self, office: Office, kind: str, method: str, grant_types: list[str], has_secret: bool
    ) -> None:
        redirects = CALLBACKS if "authorization_code" in grant_types else None
        made = await office.make(kind=kind, redirect_uris=redirects)

        assert made["token_endpoint_auth_method"] == method
        assert made["grant_types"] == grant_types
        assert (made["client_secret"] is not None) is has_secret
        assert made["policy"]["requires_pkce"]
        assert made["source"] == "administrator"
        assert made["client_secret_expires_at"] == (0 if has_secret else None)

    async def test_a_fapi_client_keeps_to_the_profile(self, office: Office) -> None:
        made = await office.make(kind="fapi", redirect_uris=CALLBACKS, jwks={"keys": [KEY]})

        assert made["policy"]["profile"] == "fapi2"
        assert made["token_endpoint_auth_method"] == "private_key_jwt"
        assert made["dpop_bound_access_tokens"]
        assert made["require_pushed_authorization_requests"]
        assert made["client_secret"] is None

    async def test_a_server_app_that_was_just_made_signs_people_in(
        self, house: House, office: Office
    ) -> None:
        made = await office.make(kind="server", redirect_uris=CALLBACKS)

        tokens = await house.tokens(developed(made), scope="openid offline_access")

        assert claims_of(tokens["id_token"])["aud"] == made["client_id"]
        assert tokens["refresh_token"]

    async def test_what_is_said_stands_in_the_place_of_what_the_kind_says(self, office: Office) -> None:
        made = await office.make(
            kind="machine",
            token_endpoint_auth_method="private_key_jwt",
            jwks={"keys": [KEY]},
            policy={"token_format": "opaque", "access_token_seconds": 60, "resources": [MCP]},
        )

        assert made["token_endpoint_auth_method"] == "private_key_jwt"
        assert made["client_secret"] is None
        assert made["policy"]["token_format"] == "opaque"
        assert made["policy"]["access_token_seconds"] == 60
        assert made["policy"]["resources"] == [MCP]

    async def test_a_client_of_no_kind_is_what_rfc_7591_says(self, office: Office) -> None:
        made = await office.make(redirect_uris=CALLBACKS)

        assert made["grant_types"] == ["authorization_code"]
        assert made["token_endpoint_auth_method"] == "client_secret_basic"

    async def test_its_secret_is_shown_this_once_and_kept_nowhere(
        self, office: Office, runtime: Runtime, machine: dict[str, Any]
    ) -> None:
        made = await office.make(**machine)
        seen = (await office.ask("GET", f"{CLIENTS}/{made['key']}")).json()

        assert made["client_secret"].startswith("pcs_")
        assert seen["client_secret"] is None
        assert seen["secrets"][0]["hint"] == made["client_secret"][:8]
        assert made["client_secret"] not in await dump(runtime)

    @pytest.mark.parametrize(
        ("wish", "field"),
        [
            ({"kind": "browser"}, "redirect_uris"),
            ({"kind": "browser", "redirect_uris": ["http://app.example/"]}, "redirect_uris"),
            ({"kind": "browser", "redirect_uris": ["https://app.example/#x"]}, "redirect_uris"),
            ({"kind": "machine", "scope": "tools:break"}, "scope"),
            ({"kind": "machine", "grant_types": ["password"]}, "grant_types"),
            ({"kind": "machine", "grant_types": ["client_credentials", "implicit"]}, "grant_types"),
            ({"kind": "machine", "token_endpoint_auth_method": "none"}, "grant_types"),
            (
                {"kind": "machine", "token_endpoint_auth_method": "client_secret_jwt"},
                "token_endpoint_auth_method",
            ),
            ({"kind": "machine", "application_type": "spaceship"}, "application_type"),
            ({"kind": "machine", "token_endpoint_auth_method": "private_key_jwt"}, ""),
            ({"kind": "machine", "id_token_signed_response_alg": "none"}, "id_token_signed_response_alg"),
            (
                {"kind": "browser", "redirect_uris": CALLBACKS, "policy": {"requires_pkce": False}},
                "policy.requires_pkce",
            ),
            ({"kind": "machine", "policy": {"resources": ["https://unknown.example/"]}}, "policy.resources"),
            ({"kind": "machine", "policy": {"resources": ["nonsense"]}}, "policy.resources"),
            ({"kind": "machine", "policy": {"exchanges_to": ["nonsense"]}}, "policy.exchanges_to"),
            (
                {
                    "kind": "machine",
                    "policy": {"refresh_idle_seconds": 900, "refresh_absolute_seconds": 600},
                },
                "policy.refresh_absolute_seconds",
            ),
        ],
    )
    async def test_what_is_not_offered_is_refused_and_named(
        self, office: Office, runtime: Runtime, wish: dict[str, Any], field: str
    ) -> None:
        async with nothing_written(runtime):
            answer = await office.ask("POST", CLIENTS, {"client_name": "Acme", **wish})

        assert fields_of(answer) == (400, "client_metadata_invalid", {field})

    @pytest.mark.bar("A24-24.1")
    async def test_the_profile_is_not_had_without_what_it_demands(self, office: Office) -> None:
        wish = {"kind": "server", "redirect_uris": CALLBACKS, "policy": {"profile": "fapi2"}}

        answer = await office.ask("POST", CLIENTS, wish)

        problem = answer.json()
        assert answer.status_code == 400
        assert "private_key_jwt" in problem["detail"]
        assert len(problem["errors"]) == 3

    @pytest.mark.parametrize(
        ("wish", "field"),
        [
            ({"kind": "toaster"}, "kind"),
            ({"client_id": "chosen"}, "client_id"),
            ({"client_secret": "chosen"}, "client_secret"),
            ({"created_by": str(uuid4())}, "created_by"),
            ({"source": "dynamic"}, "source"),
            ({"redirect_uris": "https://app.example/"}, "redirect_uris"),
            ({"redirect_uris": [f"https://app.example/{n}" for n in range(21)]}, "redirect_uris"),
            ({"scope": "x" * 2001}, "scope"),
            ({"policy": {"access_token_seconds": 5}}, "policy.access_token_seconds"),
            ({"policy": {"superuser": True}}, "policy.superuser"),
            ({"client_name": "a\x00b"}, "client_name"),
        ],
    )
    async def test_what_is_malformed_is_refused_and_named(
        self, office: Office, wish: dict[str, Any], field: str
    ) -> None:
        answer = await office.ask("POST", CLIENTS, wish)

        assert fields_of(answer) == (422, "invalid", {field})

    async def test_it_needs_a_sign_in_of_the_last_ten_minutes(
        self, office: Office, machine: dict[str, Any]
    ) -> None:
        made = await office.make(**machine)
        office.house.clock.advance(timedelta(minutes=11))

        answers = [
            await office.ask("POST", CLIENTS, machine),
            await office.ask("PATCH", f"{CLIENTS}/{made['key']}", {"client_name": "Other"}),
            await office.ask("POST", f"{CLIENTS}/{made['key']}/secrets"),
            await office.ask("POST", TOKENS, {"name": "somebody"}),
        ]
        ended = await office.ask("POST", f"{CLIENTS}/{made['key']}/disable")

        assert {(each.status_code, each.json()["code"]) for each in answers} == {
            (403, "reauthentication_required")
        }
        assert ended.status_code == 200


class TestSeeing:
    async def test_the_list_is_filtered_searched_and_paged(self, house: House, office: Office) -> None:
        ours = await office.organization(grace="owner")
        first = await office.make(kind="machine", client_name="Build server of Acme")
        second = await office.make(kind="machine", client_name="Clock")
        of_us = await office.make(at=f"/organizations/{ours}/oauth/clients", kind="machine")
        dynamic = await house.client(source=ClientSource.DYNAMIC)
        await office.ask("POST", f"{CLIENTS}/{second['key']}/disable")

        async def found(query: str) -> list[str]:
            answer = await office.ask("GET", f"{CLIENTS}?{query}")
            return [each["client_id"] for each in answer.json()["data"]]

        newest_first = [dynamic.client_id, of_us["client_id"], second["client_id"], first["client_id"]]
        page = (await office.ask("GET", f"{CLIENTS}?page_size=3")).json()
        cursor = page["pagination"]["next_cursor"]
        rest = await found(f"page_size=3&cursor={cursor}")

        assert (await found(""))[:4] == newest_first
        assert (await found("source=dynamic"))[0] == dynamic.client_id
        assert await found(f"organization_id={ours}") == [of_us["client_id"]]
        assert (await found("disabled=true"))[0] == second["client_id"]
        assert second["client_id"] not in await found("disabled=false")
        assert await found("q=build server of") == [first["client_id"]]
        assert await found(f"q={second['client_id']}") == [second["client_id"]]
        assert await found("q=%25") == []
        assert page["pagination"]["total"] >= 4
        assert [*(each["client_id"] for each in page["data"]), *rest][:4] == newest_first

    @pytest.mark.parametrize(
        "query", ["source=moon", "sort_by=secret", "disabled=maybe", "page_size=101", "x=1"]
    )
    async def test_odd_filters_are_refused(self, office: Office, query: str) -> None:
        assert (await office.ask("GET", f"{CLIENTS}?{query}")).status_code == 422

    async def test_what_is_not_there_is_not_found(self, office: Office) -> None:
        path = f"{CLIENTS}/{uuid4()}"
        answers = [
            await office.ask("GET", path),
            await office.ask("PATCH", path, {}),
            await office.ask("DELETE", path),
            await office.ask("POST", f"{path}/disable"),
            await office.ask("POST", f"{path}/enable"),
            await office.ask("POST", f"{path}/secrets"),
            await office.ask("DELETE", f"{path}/secrets/{uuid4()}"),
            await office.ask("GET", f"{path}/grants"),
        ]

        assert {(each.status_code, each.json()["code"]) for each in answers} == {(404, "client_not_found")}

    async def test_only_administrators_of_the_deployment_look(
        self, office: Office, runtime: Runtime, machine: dict[str, Any]
    ) -> None:
        made = await office.make(**machine)
        path = f"{CLIENTS}/{made['key']}"
        async with nothing_written(runtime, but=TRACES):
            answers = [
                await office.by("ada", "GET", CLIENTS),
                await office.by("ada", "POST", CLIENTS, machine),
                await office.by("ada", "GET", path),
                await office.by("ada", "PATCH", path, {"policy": {"is_trusted": True}}),
                await office.by("ada", "POST", f"{path}/secrets"),
                await office.by("ada", "DELETE", path),
                await office.by("ada", "GET", TOKENS),
                await office.by("ada", "POST", TOKENS, {"name": "me"}),
            ]

        assert {each.status_code for each in answers} == {403}
