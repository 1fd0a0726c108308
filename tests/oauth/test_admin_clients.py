"""Clients as administrators make, see, change, rotate, switch and delete them: `/admin/oauth/clients`."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import select

from portico.audit.models import AuditEntry
from portico.oauth.types import ClientSource
from portico.runtime import Runtime
from tests.integration.ground import TRACES, dump, nothing_written
from tests.oauth.kit import House, claims_of
from tests.oauth.offices import CALLBACKS, CLIENTS, TOKENS, Office, developed, fields_of

pytestmark = pytest.mark.anyio

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
LASTING_OAUTH = {"dynamic_registration": "token"}
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


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


@pytest.fixture
async def office(house: House) -> Office:
    return await Office.of(house)


@pytest.fixture
def runtime(house: House) -> Runtime:
    return house.runtime


@pytest.fixture
def machine() -> dict[str, Any]:
    return {"kind": "machine", "scope": "tools:read"}


async def token_of(house: House, made: dict[str, Any], secret: str | None = None) -> httpx2.Response:
    """Have a machine ask for a token."""
    return await house.token(
        developed(made, secret), grant_type="client_credentials", resource=MCP, scope="tools:read"
    )


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


class TestChanging:
    async def test_what_is_named_changes_and_all_else_stays(self, office: Office) -> None:
        made = await office.make(
            kind="server",
            redirect_uris=CALLBACKS,
            client_uri="https://app.example/",
            contacts=["a@b.example"],
        )
        path = f"{CLIENTS}/{made['key']}"
        wish = {
            "client_uri": None,
            "redirect_uris": ["https://new.example/callback"],
            "policy": {"is_trusted": True},
        }

        changed = (await office.ask("PATCH", path, wish)).json()
        again = (await office.ask("PATCH", path, {"policy": {"is_trusted": None}})).json()

        assert changed["client_uri"] is None
        assert changed["redirect_uris"] == ["https://new.example/callback"]
        assert changed["contacts"] == ["a@b.example"]
        assert changed["grant_types"] == made["grant_types"]
        assert changed["policy"] == {**made["policy"], "is_trusted": True}
        assert again["policy"] == made["policy"]
        assert changed["client_secret"] is None

    async def test_it_holds_at_once(self, house: House, office: Office) -> None:
        made = await office.make(kind="browser", redirect_uris=CALLBACKS)
        before = await house.ask(developed(made))
        wish = {"redirect_uris": ["https://new.example/callback"]}

        await office.ask("PATCH", f"{CLIENTS}/{made['key']}", wish)
        after = await house.ask(developed(made))

        assert before.status_code == 303
        assert after.status_code == 400
        assert "location" not in after.headers

    async def test_versions_keep_two_who_change_at_once_apart(self, office: Office) -> None:
        made = await office.make(kind="browser", redirect_uris=CALLBACKS)
        path = f"{CLIENTS}/{made['key']}"
        tag = (await office.ask("GET", path)).headers["etag"]
        same = await office.ask("GET", path, If_None_Match=tag)
        first = await office.ask("PATCH", path, {"client_name": "One"}, If_Match=tag)
        second = await office.ask("PATCH", path, {"client_name": "Two"}, If_Match=tag)
        deleted = await office.ask("DELETE", path, If_Match=tag)

        assert same.status_code == 304
        assert first.headers["etag"] != tag
        assert second.status_code == deleted.status_code == 412
        assert (await office.ask("GET", path)).json()["client_name"] == "One"

    async def test_a_new_way_of_proving_brings_a_secret_or_takes_it_away(
        self, house: House, office: Office
    ) -> None:
        made = await office.make(kind="server", redirect_uris=CALLBACKS)
        path = f"{CLIENTS}/{made['key']}"

        public = (await office.ask("PATCH", path, {"token_endpoint_auth_method": "none"})).json()
        post = (await office.ask("PATCH", path, {"token_endpoint_auth_method": "client_secret_post"})).json()
        basic = (
            await office.ask("PATCH", path, {"token_endpoint_auth_method": "client_secret_basic"})
        ).json()
        tokens = await house.tokens(developed(basic, post["client_secret"]))

        assert public["secrets"] == []
        assert public["client_secret"] is None
        assert post["client_secret"] not in {None, made["client_secret"]}
        assert basic["client_secret"] is None
        assert "id_token" in tokens

    async def test_a_machine_becomes_a_server_app(self, office: Office, machine: dict[str, Any]) -> None:
        made = await office.make(**machine)
        wish = {"grant_types": ["client_credentials", "authorization_code"], "redirect_uris": CALLBACKS}

        changed = await office.ask("PATCH", f"{CLIENTS}/{made['key']}", wish)

        assert changed.json()["response_types"] == ["code"]

    async def test_who_describes_himself_keeps_his_metadata(self, house: House, office: Office) -> None:
        stranger = await house.client(source=ClientSource.DYNAMIC)
        path = f"{CLIENTS}/{stranger.key}"

        renamed = await office.ask("PATCH", path, {"client_name": "Portico"})
        shorter = await office.ask("PATCH", path, {"policy": {"access_token_seconds": 60}})
        trusted = await office.ask("PATCH", path, {"policy": {"is_trusted": True}})

        assert (renamed.status_code, renamed.json()["code"]) == (409, "client_describes_itself")
        assert shorter.json()["policy"]["access_token_seconds"] == 60
        assert fields_of(trusted) == (400, "client_metadata_invalid", {"policy.is_trusted"})

    @pytest.mark.parametrize(
        "wish",
        [
            {"redirect_uris": []},
            {"redirect_uris": ["javascript:alert(1)"]},
            {"grant_types": [EXCHANGE, "made-up"]},
            {"policy": {"requires_pkce": False}},
        ],
    )
    async def test_a_change_that_may_not_be_changes_nothing(
        self, office: Office, runtime: Runtime, wish: dict[str, Any]
    ) -> None:
        made = await office.make(kind="browser", redirect_uris=CALLBACKS)
        async with nothing_written(runtime):
            answer = await office.ask("PATCH", f"{CLIENTS}/{made['key']}", wish)

        assert (answer.status_code, answer.json()["code"]) == (400, "client_metadata_invalid")


class TestSecrets:
    async def test_two_are_good_while_one_follows_the_other(
        self, house: House, office: Office, machine: dict[str, Any]
    ) -> None:
        made = await office.make(**machine)
        rotated = await office.ask("POST", f"{CLIENTS}/{made['key']}/secrets", {"overlap_hours": 2})
        new = rotated.json()["client_secret"]
        during = [(await token_of(house, made, secret)).status_code for secret in (None, new)]
        office.house.clock.advance(timedelta(hours=3))
        after = [(await token_of(house, made, secret)).status_code for secret in (None, new)]

        assert rotated.status_code == 201
        assert rotated.json()["client_id"] == made["client_id"]
        assert during == [200, 200]
        assert after == [401, 200]

    async def test_without_overlap_the_old_one_ends_at_once(
        self, house: House, office: Office, machine: dict[str, Any]
    ) -> None:
        made = await office.make(**machine)
        assert (await token_of(house, made)).status_code == 200

        rotated = await office.ask("POST", f"{CLIENTS}/{made['key']}/secrets", {"overlap_hours": 0})
        seen = (await office.ask("GET", f"{CLIENTS}/{made['key']}")).json()

        assert (await token_of(house, made)).status_code == 401
        assert [each["hint"] for each in seen["secrets"]] == [rotated.json()["client_secret"][:8]]

    async def test_one_is_taken_away_at_once(
        self, house: House, office: Office, machine: dict[str, Any]
    ) -> None:
        made = await office.make(**machine)
        other = await office.make(**machine)
        path = f"{CLIENTS}/{made['key']}/secrets"
        new = (await office.ask("POST", path)).json()["client_secret"]
        newest, oldest = (await office.ask("GET", f"{CLIENTS}/{made['key']}")).json()["secrets"]
        assert (await token_of(house, made)).status_code == 200

        elsewhere = await office.ask("DELETE", f"{CLIENTS}/{other['key']}/secrets/{oldest['id']}")
        removed = await office.ask("DELETE", f"{path}/{oldest['id']}")
        again = await office.ask("DELETE", f"{path}/{oldest['id']}")

        assert newest["expires_at"] is None
        assert removed.status_code == 204
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "client_secret_not_found")
        assert again.status_code == 404
        assert (await token_of(house, made)).status_code == 401
        assert (await token_of(house, made, new)).status_code == 200

    async def test_there_are_never_many(self, office: Office, machine: dict[str, Any]) -> None:
        made = await office.make(**machine)
        path = f"{CLIENTS}/{made['key']}/secrets"
        statuses = [(await office.ask("POST", path)).status_code for _ in range(5)]
        office.house.clock.advance(timedelta(days=2))
        await office.sign_in_again()
        later = await office.ask("POST", path)

        assert statuses == [201, 201, 201, 201, 409]
        assert later.status_code == 201

    async def test_a_client_without_a_secret_gets_none(self, office: Office) -> None:
        made = await office.make(kind="browser", redirect_uris=CALLBACKS)

        answer = await office.ask("POST", f"{CLIENTS}/{made['key']}/secrets")
        too_long = await office.ask("POST", f"{CLIENTS}/{made['key']}/secrets", {"overlap_hours": 721})

        assert (answer.status_code, answer.json()["code"]) == (409, "client_has_no_secret")
        assert too_long.status_code == 422


class TestEnding:
    async def test_switched_off_it_gets_nothing_and_all_it_had_is_over(
        self, house: House, office: Office
    ) -> None:
        made = await office.make(kind="server", redirect_uris=CALLBACKS)
        client, path = developed(made), f"{CLIENTS}/{made['key']}"
        tokens = await house.tokens(client, scope="openid offline_access")

        off = (await office.ask("POST", f"{path}/disable")).json()
        twice = await office.ask("POST", f"{path}/disable")
        refused = await house.refreshed(client, tokens["refresh_token"])
        asked = await house.ask(client)
        on = (await office.ask("POST", f"{path}/enable")).json()
        old = await house.refreshed(client, tokens["refresh_token"])
        new = await house.tokens(client)

        assert off["disabled_at"] is not None
        assert twice.json()["disabled_at"] == off["disabled_at"]
        assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")
        assert asked.status_code == 400
        assert on["disabled_at"] is None
        assert (old.status_code, old.json()["error"]) == (400, "invalid_grant")
        assert "id_token" in new

    async def test_deleted_it_is_gone_with_what_was_granted(self, house: House, office: Office) -> None:
        made = await office.make(kind="server", redirect_uris=CALLBACKS)
        client, path = developed(made), f"{CLIENTS}/{made['key']}"
        tokens = await house.tokens(client, scope="openid offline_access")

        deleted = await office.ask("DELETE", path)
        refused = await house.refreshed(client, tokens["refresh_token"])

        assert deleted.status_code == 204
        assert (await office.ask("GET", path)).status_code == 404
        assert refused.status_code == 401

    async def test_what_was_granted_is_listed_and_counted(self, house: House, office: Office) -> None:
        made = await office.make(kind="server", redirect_uris=CALLBACKS)
        await house.tokens(developed(made), "ada", scope="openid offline_access")
        await house.tokens(developed(made), "bob")
        path = f"{CLIENTS}/{made['key']}"

        listed = (await office.ask("GET", f"{path}/grants?living=true")).json()
        await office.ask("POST", f"{path}/disable")
        over = (await office.ask("GET", f"{path}/grants?living=false&page_size=1")).json()
        living = (await office.ask("GET", f"{path}/grants?living=true")).json()

        assert {each["user_id"] for each in listed["data"]} == {
            str(house.people[name].id) for name in ("ada", "bob")
        }
        assert listed["pagination"]["total"] == 2
        assert {each["ended_reason"] for each in over["data"]} == {"client_disabled"}
        assert over["pagination"]["total"] == 2
        assert living["data"] == []

    async def test_every_act_is_on_the_trail_with_who_did_it(
        self, house: House, office: Office, runtime: Runtime, machine: dict[str, Any]
    ) -> None:
        made = await office.make(**machine)
        path = f"{CLIENTS}/{made['key']}"
        await office.ask("PATCH", path, {"client_name": "Other"})
        await office.ask("PATCH", path, {"client_name": "Other"})
        await office.ask("POST", f"{path}/secrets")
        secret_id = (await office.ask("GET", path)).json()["secrets"][0]["id"]
        await office.ask("DELETE", f"{path}/secrets/{secret_id}")
        await office.ask("POST", f"{path}/disable")
        await office.ask("POST", f"{path}/enable")
        await office.ask("DELETE", path)

        async with runtime.reads() as session:
            query = select(AuditEntry).where(AuditEntry.subject_id == UUID(made["key"]))
            entries = (await session.scalars(query.order_by(AuditEntry.id))).all()

        acts = [entry.action for entry in entries]
        assert acts == [
            f"oauth.client.{act}"
            for act in (
                "registered",
                "changed",
                "secret_rotated",
                "secret_removed",
                "disabled",
                "enabled",
                "deleted",
            )
        ]
        assert {entry.actor_id for entry in entries} == {house.people["grace"].id}


class TestInitialTokens:
    async def register(self, house: House, token: str) -> httpx2.Response:
        house.http.cookies.clear()
        return await house.http.post(
            "/oauth/register",
            json={"redirect_uris": CALLBACKS},
            headers={"Authorization": f"Bearer {token}"},
        )

    @pytest.mark.bar("A7-7.5")
    async def test_somebody_registers_by_leave_as_often_as_it_says(
        self, house: House, office: Office
    ) -> None:
        made = (await office.ask("POST", TOKENS, {"name": "partner", "uses": 2})).json()
        listed = (await office.ask("GET", TOKENS)).json()["data"][:1]
        statuses = [(await self.register(house, made["token"])).status_code for _ in range(3)]

        assert made["token"].startswith("pia_")
        assert [(each["name"], each["uses_left"], "token" in each) for each in listed] == [
            ("partner", 2, False)
        ]
        assert statuses == [201, 201, 401]

    async def test_leave_is_taken_back(self, house: House, office: Office) -> None:
        made = (await office.ask("POST", TOKENS, {"name": "partner"})).json()
        first = await self.register(house, made["token"])
        revoked = await office.ask("DELETE", f"{TOKENS}/{made['id']}")
        again = await office.ask("DELETE", f"{TOKENS}/{made['id']}")

        assert first.status_code == 201
        assert revoked.status_code == 204
        assert (again.status_code, again.json()["code"]) == (404, "initial_token_not_found")
        assert (await self.register(house, made["token"])).status_code == 401

    @pytest.mark.parametrize(
        "wish", [{}, {"name": ""}, {"name": "x", "uses": 0}, {"name": "x", "lifetime_hours": 9_000}]
    )
    async def test_odd_leave_is_refused(self, office: Office, wish: dict[str, Any]) -> None:
        assert (await office.ask("POST", TOKENS, wish)).status_code == 422
