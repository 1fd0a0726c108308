"""Clients as administrators switch off and delete them, and leave to register some: `/admin/oauth`."""

from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import select

from portico.audit.models import AuditEntry
from portico.runtime import Runtime
from tests.oauth.kit import House
from tests.oauth.offices import CALLBACKS, CLIENTS, TOKENS, Office, developed

pytestmark = pytest.mark.anyio

LASTING_OAUTH = {"dynamic_registration": "token"}


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
