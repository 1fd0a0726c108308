"""Clients as administrators change them and their secrets: `/admin/oauth/clients`."""

from datetime import timedelta
from typing import Any

import pytest

from portico.oauth.types import ClientSource
from portico.runtime import Runtime
from tests.integration.ground import nothing_written
from tests.oauth.kit import House
from tests.oauth.offices import CALLBACKS, CLIENTS, Office, developed, fields_of, token_of

pytestmark = pytest.mark.anyio

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
LASTING_OAUTH = {"dynamic_registration": "token"}


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
