"""The API of organizations: making, naming, members, roles, teams, settings, switching."""

from datetime import timedelta
from typing import Any

import pytest

from portico.core.ids import new_id
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.organizations import TestOrganization, TestOrganizations
from tests.organizations.conftest import Caller

pytestmark = pytest.mark.anyio

PATH = "/organizations"
SQLITE_ONLY = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what no database decides."""


def at(organization: TestOrganization, rest: str = "") -> str:
    return f"{PATH}/{organization.id}{rest}"


async def make(caller: Caller, name: str = "Acme", **more: Any) -> Any:
    return await caller.ask("POST", PATH, json={"name": name, **more})


@SQLITE_ONLY
class TestMaking:
    async def test_maker_owns_it(self, ada: Caller) -> None:
        made = await make(ada, "Zoë & Söhne")

        assert made["slug"] == "zoe-sohne"
        listed = await ada.ask("GET", PATH)
        assert [(each["id"], each["roles"]) for each in listed["data"]] == [(made["id"], ["owner"])]

    async def test_name_without_latin_letters(self, ada: Caller) -> None:
        first, second = await make(ada, "東京"), await make(ada, "大阪")

        assert first["slug"] != second["slug"]

    async def test_second_of_a_name_gets_another_slug(self, ada: Caller) -> None:
        first, second = await make(ada, "Umbrella"), await make(ada, "Umbrella")

        assert first["slug"] == "umbrella"
        assert second["slug"].startswith("umbrella-")

    @pytest.mark.parametrize(
        ("slug", "status", "code"),
        [
            ("acme-works", 409, "slug_taken"),
            ("acrne-works", 409, "slug_taken"),
            ("acme-w0rks", 409, "slug_taken"),
            ("admin", 409, "slug_reserved"),
            ("ad-m1n", 409, "slug_reserved"),
            ("Acme", 422, "slug_malformed"),
            ("a--b", 422, "slug_malformed"),
            ("ab", 422, "slug_malformed"),
            ("аcme", 422, "slug_malformed"),
        ],
    )
    async def test_slug_refused(
        self, ada: Caller, acme: TestOrganization, slug: str, status: int, code: str
    ) -> None:
        refused = await ada.refused("POST", PATH, status, json={"name": "Another", "slug": slug})

        assert refused == code

    @pytest.mark.parametrize("name", ["", "   ", "a\u202eb", "x" * 121, "a\u0007b"])
    async def test_name_refused(self, ada: Caller, name: str) -> None:
        await ada.ask("POST", PATH, 422, json={"name": name})

    @pytest.mark.bar("CHECK-17", "ASVS-8.2.3")
    @pytest.mark.parametrize(
        "field", ["id", "created_by", "owner_id", "disabled_at", "deleted_at", "version", "roles", "slug_key"]
    )
    async def test_no_field_besides(self, ada: Caller, acme: TestOrganization, field: str) -> None:
        for method, path in (("POST", PATH), ("PATCH", at(acme)), ("PATCH", at(acme, "/settings"))):
            answer = await ada.ask(method, path, 422, json={"name": "Sound", field: "1"})
            assert field in {fault["field"].rpartition(".")[2] for fault in answer["errors"]}

    async def test_sent_twice_it_is_one(self, ada: Caller) -> None:
        headers = {"Idempotency-Key": "one-and-the-same"}

        made = [await ada.ask("POST", PATH, json={"name": "Acme"}, headers=headers) for _ in range(2)]

        assert made[0] == made[1]
        assert len((await ada.ask("GET", PATH))["data"]) == 1


@SQLITE_ONLY
class TestLimits:
    @pytest.fixture
    def settings_overrides(self, settings_overrides: dict[str, Any]) -> dict[str, Any]:
        return settings_overrides | {"organizations": {"max_owned": 2}}

    async def test_so_many_and_no_more(self, ada: Caller) -> None:
        await make(ada, "One company")
        await make(ada, "Two company")

        assert await ada.refused("POST", PATH, 409, json={"name": "Three company"}) == "organization_limit"


@SQLITE_ONLY
class TestClosedToPeople:
    @pytest.fixture
    def settings_overrides(self, settings_overrides: dict[str, Any]) -> dict[str, Any]:
        return settings_overrides | {"organizations": {"creation": "administrators"}}

    async def test_only_administrators(self, ada: Caller) -> None:
        code = await ada.refused("POST", PATH, 403, json={"name": "Mine"})

        assert code == "organization_creation_closed"


class TestNaming:
    async def test_stale_version(self, ada: Caller, acme: TestOrganization) -> None:
        await ada.ask("PATCH", at(acme), json={"name": "First"}, headers={"If-Match": '"1"'})

        code = await ada.refused("PATCH", at(acme), 412, json={"name": "Late"}, headers={"If-Match": '"1"'})
        assert code == "precondition_failed"
        assert (await ada.ask("GET", at(acme)))["name"] == "First"

    @pytest.mark.bar("CVE-2026-55670")
    async def test_freed_slug_inherits_nothing(
        self, ada: Caller, bob: Caller, eve: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        await organizations.join(acme, bob, "admin")
        await ada.ask("DELETE", at(acme))

        taken = await make(eve, "Acme again", slug=acme.slug)

        assert taken["id"] != str(acme.id)
        assert await bob.refused("GET", f"{PATH}/{taken['id']}", 404) == "organization_not_found"
        assert await ada.refused("GET", f"{PATH}/{taken['id']}", 404) == "organization_not_found"
        members = await eve.ask("GET", f"{PATH}/{taken['id']}/members")
        assert [each["user_id"] for each in members["data"]] == [str(eve.id)]
        assert await ada.refused("POST", at(acme, "/restore"), 409, json={}) == "slug_taken"
        restored = await ada.ask("POST", at(acme, "/restore"), json={"slug": "acme-back"})
        assert restored["slug"] == "acme-back"


class TestOutsiders:
    @pytest.mark.bar("ASVS-8.2.2", "ASVS-8.4.1", "CVE-2025-64431")
    async def test_nothing_is_there(
        self, ada: Caller, eve: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        team = await organizations.make_team(acme, members=[ada])
        own = await organizations.make(eve, "Eve & Co")
        role = await ada.ask(
            "POST", at(acme, "/roles"), json={"name": "clerk", "title": "Clerk", "permissions": []}
        )
        foreign = [
            ("GET", at(acme)),
            ("GET", at(acme, "/members")),
            ("GET", at(acme, f"/members/{ada.id}")),
            ("DELETE", at(acme, f"/members/{ada.id}")),
            ("GET", at(acme, "/roles")),
            ("GET", at(acme, "/audit")),
            ("GET", at(acme, "/settings")),
            ("GET", at(acme, f"/teams/{team}")),
            ("POST", at(acme, "/leave")),
            ("DELETE", at(acme)),
            # Her own organization, and ids of the other one behind it.
            ("GET", at(own, f"/members/{ada.id}")),
            ("DELETE", at(own, f"/members/{ada.id}")),
            ("GET", at(own, f"/roles/{role['id']}")),
            ("DELETE", at(own, f"/roles/{role['id']}")),
            ("GET", at(own, f"/teams/{team}")),
            ("GET", at(own, f"/teams/{team}/members")),
            ("DELETE", at(own, f"/teams/{team}")),
            ("DELETE", at(own, f"/teams/{team}/members/{ada.id}")),
            ("GET", f"{PATH}/{new_id()}"),
            ("GET", f"{PATH}/nonsense"),
        ]

        for method, path in foreign:
            assert (await eve.ask(method, path, 404))["status"] == 404

        assert (await ada.ask("GET", at(acme, f"/teams/{team}")))["members"] == 1

    async def test_foreign_ids_in_bodies(
        self, ada: Caller, eve: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        own = await organizations.make(eve, "Eve & Co")
        team = await organizations.make_team(own)
        role = await ada.ask(
            "POST", at(acme, "/roles"), json={"name": "clerk", "title": "Clerk", "permissions": []}
        )

        member = {"user_id": str(ada.id)}
        for method, path, body in (
            ("POST", f"/teams/{team}/members", member),
            ("POST", "/transfer-ownership", member),
            ("PUT", f"/teams/{team}/roles", {"roles": [role["id"]]}),
            ("PATCH", f"/members/{eve.id}", {"roles": ["owner", role["id"]]}),
        ):
            await eve.ask(method, at(own, path), 404, json=body)

        assert await eve.refused("PUT", f"{PATH}/active", 404, json={"organization_id": str(acme.id)})

    @pytest.mark.bar("CVE-2025-67717")
    async def test_totals_are_ones_own(self, ada: Caller, eve: Caller, acme: TestOrganization) -> None:
        assert (await eve.ask("GET", PATH))["pagination"]["total"] == 0
        assert (await ada.ask("GET", PATH))["pagination"]["total"] == 1

    async def test_cursor_of_another_organization(
        self, ada: Caller, bob: Caller, eve: Caller, organizations: TestOrganizations, acme: TestOrganization
    ) -> None:
        other = await organizations.make(eve, "Eve & Co")
        await organizations.join(acme, bob)
        await organizations.join(other, ada)
        first = await ada.ask("GET", at(acme, "/members"), params={"page_size": 1})

        cursor = first["pagination"]["next_cursor"]
        params = {"page_size": 1, "cursor": cursor}
        assert await ada.refused("GET", at(other, "/members"), 400, params=params) == "cursor_invalid"
        assert len((await ada.ask("GET", at(acme, "/members"), params=params))["data"]) == 1


class TestMembers:
    async def test_search_and_filter(
        self, ada: Caller, bob: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        await organizations.join(acme, bob, "admin")

        async def found(**params: Any) -> list[str]:
            page = await ada.ask("GET", at(acme, "/members"), params=params)
            return [each["email"] for each in page["data"]]

        assert await found() == [ada.address, bob.address]
        assert await found(q="BOB") == [bob.address]
        assert await found(q="%") == []
        assert await found(role="owner") == [ada.address]
        assert await found(role=str(new_id())) == []

    @pytest.mark.bar("ASVS-8.3.2")
    async def test_role_counts_with_the_next_request(
        self, ada: Caller, bob: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        await organizations.join(acme, bob)
        assert await bob.refused("GET", at(acme, "/audit"), 403) == "permission_denied"

        await ada.ask("PATCH", at(acme, f"/members/{bob.id}"), json={"roles": ["admin"]})
        await bob.ask("GET", at(acme, "/audit"))

        await ada.ask("PATCH", at(acme, f"/members/{bob.id}"), json={"roles": ["viewer"]})
        assert await bob.refused("GET", at(acme, "/audit"), 403) == "permission_denied"

    async def test_administrator_rules_over_no_owner(
        self, ada: Caller, bob: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        await organizations.join(acme, bob, "admin")

        for method, path, body in (
            ("PATCH", f"/members/{ada.id}", {"roles": ["member"]}),
            ("PATCH", f"/members/{bob.id}", {"roles": ["owner"]}),
            ("DELETE", f"/members/{ada.id}", None),
        ):
            assert await bob.refused(method, at(acme, path), 403, json=body) == "rights_not_held"

        assert (await ada.ask("GET", at(acme, f"/members/{ada.id}")))["roles"] == ["owner"]

    async def test_who_holds_more_by_a_team_is_put_out_by_nobody_who_holds_less(
        self, ada: Caller, bob: Caller, enter: Any, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        body = {
            "name": "doorkeeper",
            "title": "Doorkeeper",
            "permissions": ["organization:member:read", "organization:member:remove"],
        }
        role = await ada.ask("POST", at(acme, "/roles"), json=body)
        carol = await organizations.join(acme, await enter("carol"), role["id"], "viewer")
        await organizations.join(acme, bob, "viewer")
        team = await organizations.make_team(acme, members=[bob], roles=["admin"])
        member = at(acme, f"/members/{bob.id}")

        assert await carol.refused("DELETE", member, 403) == "rights_not_held"
        assert (await ada.ask("GET", at(acme, f"/teams/{team}")))["members"] == 1

        await ada.ask("DELETE", at(acme, f"/teams/{team}/members/{bob.id}"))
        await carol.ask("DELETE", member)

    async def test_put_out(
        self, ada: Caller, bob: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        await organizations.join(acme, bob, "admin")
        await bob.ask("PUT", f"{PATH}/active", json={"organization_id": str(acme.id)})

        await ada.ask("DELETE", at(acme, f"/members/{bob.id}"))

        assert await bob.refused("GET", at(acme), 404) == "organization_not_found"
        assert (await bob.ask("GET", PATH))["data"] == []


@SQLITE_ONLY
class TestOwners:
    async def test_last_one_stays(self, ada: Caller, bob: Caller, acme: TestOrganization) -> None:
        assert await ada.refused("POST", at(acme, "/leave"), 409) == "last_owner"
        roles = {"roles": ["admin"]}
        assert await ada.refused("PATCH", at(acme, f"/members/{ada.id}"), 409, json=roles) == "last_owner"
        assert await ada.refused("DELETE", at(acme, f"/members/{ada.id}"), 409) == "last_owner"

        assert (await ada.ask("GET", at(acme)))["roles"] == ["owner"]

    async def test_hand_over(
        self, ada: Caller, bob: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        await organizations.join(acme, bob)

        await ada.ask("POST", at(acme, "/transfer-ownership"), json={"user_id": str(bob.id)})

        assert (await bob.ask("GET", at(acme)))["roles"] == ["member", "owner"]
        assert (await ada.ask("GET", at(acme)))["roles"] == ["admin"]
        await ada.ask("POST", at(acme, "/leave"))

    @pytest.mark.bar("ASVS-8.2.4")
    async def test_hand_over_wants_a_fresh_sign_in(
        self,
        ada: Caller,
        bob: Caller,
        acme: TestOrganization,
        organizations: TestOrganizations,
        clock: FrozenClock,
    ) -> None:
        await organizations.join(acme, bob)
        clock.advance(timedelta(minutes=11))

        body = {"user_id": str(bob.id)}
        code = await ada.refused("POST", at(acme, "/transfer-ownership"), 403, json=body)
        assert code == "reauthentication_required"

    async def test_to_oneself(self, ada: Caller, acme: TestOrganization) -> None:
        body = {"user_id": str(ada.id)}
        assert await ada.refused("POST", at(acme, "/transfer-ownership"), 409, json=body) == "already_owner"


class TestRoles:
    async def test_made_and_held(
        self, ada: Caller, bob: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        wish = {"name": "auditor", "title": "Auditor", "permissions": ["organization:audit:read"]}
        role = await ada.ask("POST", at(acme, "/roles"), json=wish)
        await organizations.join(acme, bob, role["id"])

        await bob.ask("GET", at(acme, "/audit"))
        code = await ada.refused("DELETE", at(acme, f"/roles/{role['id']}"), 409)
        assert code == "role_in_use"

    @pytest.mark.bar("CVE-2026-16106", "ASVS-8.2.1")
    async def test_bounded_by_its_maker(
        self, ada: Caller, bob: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        await organizations.join(acme, bob, "admin")
        held = ["organization:organization:delete"]
        above = await ada.ask(
            "POST", at(acme, "/roles"), json={"name": "closer", "title": "Closer", "permissions": held}
        )
        team = await organizations.make_team(acme, roles=[above["id"]])

        own = {"name": "mine", "title": "Mine", "permissions": held}
        for method, path, body in (
            ("POST", "/roles", own),
            ("PATCH", f"/roles/{above['id']}", {"permissions": []}),
            ("DELETE", f"/roles/{above['id']}", None),
            ("PATCH", f"/members/{bob.id}", {"roles": [above["id"]]}),
            ("POST", f"/teams/{team}/members", {"user_id": str(bob.id)}),
            ("PUT", f"/teams/{team}/roles", {"roles": []}),
            ("DELETE", f"/teams/{team}", None),
        ):
            assert await bob.refused(method, at(acme, path), 403, json=body) == "rights_not_held"

        assert (await ada.ask("GET", at(acme, f"/roles/{above['id']}")))["permissions"] == held

    @pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
    async def test_everybodys_are_fixed(self, ada: Caller, acme: TestOrganization, role: str) -> None:
        assert (await ada.ask("GET", at(acme, f"/roles/{role}")))["is_system"] is True
        assert await ada.refused("DELETE", at(acme, f"/roles/{role}"), 409) == "role_fixed"
        code = await ada.refused("PATCH", at(acme, f"/roles/{role}"), 409, json={"permissions": []})
        assert code == "role_fixed"

    async def test_what_can_be_held(self, ada: Caller, bob: Caller, acme: TestOrganization) -> None:
        listed = (await ada.ask("GET", at(acme, "/permissions")))["data"]

        assert all(each["is_held"] for each in listed)
        words = {each["name"]: each["description"] for each in listed}
        assert words["organization:member:remove"] == "Remove members"
        assert not [name for name in words if name.startswith("platform:") or ":self:" in name]


@SQLITE_ONLY
class TestTeams:
    async def test_roles_of_the_team(
        self, ada: Caller, bob: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        await organizations.join(acme, bob)
        team = await ada.ask("POST", at(acme, "/teams"), json={"name": "Security"})
        assert team["slug"] == "security"
        path = at(acme, f"/teams/{team['id']}")
        await ada.ask("PUT", f"{path}/roles", json={"roles": ["admin"]})
        assert await bob.refused("GET", at(acme, "/audit"), 403)

        await ada.ask("POST", f"{path}/members", json={"user_id": str(bob.id)})
        await bob.ask("GET", at(acme, "/audit"))
        members = (await ada.ask("GET", f"{path}/members"))["data"]
        assert [each["user_id"] for each in members] == [str(bob.id)]

        await ada.ask("DELETE", f"{path}/members/{bob.id}")
        assert await bob.refused("GET", at(acme, "/audit"), 403)

    async def test_only_members(self, ada: Caller, eve: Caller, acme: TestOrganization) -> None:
        team = await ada.ask("POST", at(acme, "/teams"), json={"name": "Security"})
        path = at(acme, f"/teams/{team['id']}/members")

        assert await ada.refused("POST", path, 404, json={"user_id": str(eve.id)}) == "member_not_found"

    async def test_leaving_leaves_the_teams(
        self, ada: Caller, bob: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        await organizations.join(acme, bob)
        team = await organizations.make_team(acme, members=[bob], roles=["admin"])

        await bob.ask("POST", at(acme, "/leave"))
        await organizations.join(acme, bob)

        assert (await ada.ask("GET", at(acme, f"/teams/{team}")))["members"] == 0
        assert await bob.refused("GET", at(acme, "/audit"), 403)

    async def test_change_and_delete(self, ada: Caller, acme: TestOrganization) -> None:
        await ada.ask("POST", at(acme, "/teams"), json={"name": "Sales"})
        team = await ada.ask("POST", at(acme, "/teams"), json={"name": "Sales"})
        assert team["slug"] == "sales-2"
        path = at(acme, f"/teams/{team['id']}")

        assert await ada.refused("PATCH", path, 409, json={"slug": "sales"}) == "slug_taken"
        changed = await ada.ask("PATCH", path, json={"name": "Service"}, headers={"If-Match": '"1"'})
        assert changed["version"] == 2
        await ada.ask("DELETE", path)
        assert [each["slug"] for each in (await ada.ask("GET", at(acme, "/teams")))["data"]] == ["sales"]


class TestSettings:
    async def test_nobody_locks_himself_out(self, ada: Caller, acme: TestOrganization) -> None:
        for wish in ({"min_aal": 2}, {"methods": ["otp"]}):
            code = await ada.refused("PATCH", at(acme, "/settings"), 409, json=wish)
            assert code == "settings_would_lock_you_out"

        assert (await ada.ask("GET", at(acme, "/settings")))["min_aal"] == 1

    async def test_rules_bind(
        self, ada: Caller, bob: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        await organizations.join(acme, bob, "admin")
        await organizations.set_rules(acme, min_aal=2)

        assert await bob.refused("GET", at(acme), 403) == "second_factor_required"
        body = {"organization_id": str(acme.id)}
        assert await bob.refused("PUT", f"{PATH}/active", 403, json=body) == "second_factor_required"

    async def test_sessions_grow_old(self, ada: Caller, acme: TestOrganization, clock: FrozenClock) -> None:
        changed = await ada.ask("PATCH", at(acme, "/settings"), json={"max_session_age": 600})
        assert changed["version"] == 2
        await ada.ask("GET", at(acme))

        clock.advance(timedelta(seconds=601))
        assert await ada.refused("GET", at(acme), 403) == "reauthentication_required"

    async def test_unknown_way(self, ada: Caller, acme: TestOrganization) -> None:
        code = await ada.refused("PATCH", at(acme, "/settings"), 422, json={"methods": ["magic"]})

        assert code == "sign_in_method_unknown"


@SQLITE_ONLY
class TestTrail:
    async def test_own_part_only(
        self, ada: Caller, eve: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        other = await organizations.make(eve, "Eve & Co")
        await ada.ask("PATCH", at(acme), json={"name": "Acme Ltd"})

        entries = (await ada.ask("GET", at(acme, "/audit")))["data"]

        assert {each["organization_id"] for each in entries} == {str(acme.id)}
        assert entries[0]["action"] == "organization.updated"
        assert entries[0]["changes"] == {"name": ["Acme", "Acme Ltd"]}
        assert entries[0]["actor_id"] == str(ada.id)
        assert await ada.refused("GET", at(other, "/audit"), 404)


async def test_runtime_has_no_leftovers(runtime: Runtime, ada: Caller) -> None:
    """Somebody without organizations has an empty list, and no active one."""
    assert (await ada.ask("GET", PATH))["data"] == []
    answer = await ada.ask("PUT", f"{PATH}/active", json={"organization_id": None})
    assert answer == {"organization": None}
