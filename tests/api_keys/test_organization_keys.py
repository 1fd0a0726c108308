"""Keys of organizations and service accounts: who may, in which organization, within which bounds."""

from uuid import uuid4

import pytest

from portico.core.ids import OrganizationId
from portico.runtime import Runtime
from tests.api_keys.conftest import House, by_key, code_of
from tests.integration.ground import TRACES, nothing_written

pytestmark = pytest.mark.anyio

READ = "organization:service_account:read"


def keys_at(organization_id: OrganizationId) -> str:
    return f"/organizations/{organization_id}/api-keys"


def accounts_at(organization_id: OrganizationId) -> str:
    return f"/organizations/{organization_id}/service-accounts"


async def test_an_organizations_key_acts_for_it_and_outlives_its_maker(house: House) -> None:
    ours = await house.organization(ada="admin", grace="owner")
    made = await house.make("ada", keys_at(ours), scopes=[READ])
    path = accounts_at(ours)

    by_organization = await house.ask("GET", path, by_key(made["key"]))
    own = await house.me(made["key"])
    await house.grant(ours, house.people["ada"].id)
    without_maker = await house.ask("GET", path, by_key(made["key"]))
    seen = (await house.by("grace", "GET", f"{keys_at(ours)}/{made['id']}")).json()

    assert by_organization.status_code == without_maker.status_code == 200
    assert own.status_code == 403
    assert (seen["kind"], seen["principal_id"]) == ("organization", str(ours))


async def test_a_service_account_holds_its_roles_and_its_keys_narrow_them(house: House) -> None:
    ours = await house.organization(ada="owner")
    wish = {"name": "robot", "description": "Deploys.", "roles": ["viewer"]}
    account = (await house.by("ada", "POST", accounts_at(ours), wish)).json()
    path = f"{accounts_at(ours)}/{account['id']}"
    text = await house.key("ada", at=keys_at(ours), scopes=[READ], service_account_id=account["id"])

    as_viewer = await house.ask("GET", path, by_key(text))
    promoted = await house.by("ada", "PUT", f"{path}/roles", {"roles": ["admin"]})
    as_admin = await house.ask("GET", path, by_key(text))
    beyond_scope = await house.ask("GET", keys_at(ours), by_key(text))
    listed = (await house.by("ada", "GET", f"{keys_at(ours)}?service_account_id={account['id']}")).json()

    assert account["roles"] == ["viewer"]
    assert code_of(as_viewer) == (403, "permission_denied")
    assert promoted.json()["roles"] == ["admin"]
    assert as_admin.json()["name"] == "robot"
    assert code_of(beyond_scope) == (403, "insufficient_scope")
    assert [key["kind"] for key in listed["data"]] == ["service_account"]


@pytest.mark.bar("ASVS-8.2.1", "CVE-2026-9795")
async def test_nobody_makes_a_service_account_mightier_than_himself(house: House) -> None:
    ours = await house.organization(ada="admin", grace="owner")
    robot = {"name": "robot"}

    owner = await house.by("ada", "POST", accounts_at(ours), {**robot, "roles": ["owner"]})
    unknown = await house.by("ada", "POST", accounts_at(ours), {**robot, "roles": ["king"]})
    admin = await house.by("ada", "POST", accounts_at(ours), {**robot, "roles": ["admin"]})
    raised = await house.by(
        "ada", "PUT", f"{accounts_at(ours)}/{admin.json()['id']}/roles", {"roles": ["owner"]}
    )
    listed = (await house.by("ada", "GET", accounts_at(ours))).json()

    assert code_of(owner) == code_of(raised) == (403, "rights_not_held")
    assert code_of(unknown) == (404, "role_not_found")
    assert [(each["name"], each["roles"]) for each in listed["data"]] == [("robot", ["admin"])]


async def test_a_service_account_never_is_the_last_owner(house: House) -> None:
    ours = await house.organization(ada="owner")
    await house.by("ada", "POST", accounts_at(ours), {"name": "robot", "roles": ["owner"]})

    alone = await house.by("ada", "POST", accounts_at(ours), {"name": "other", "roles": ["viewer"]})
    with pytest.raises(Exception, match="owner"):
        await house.grant(ours, house.people["ada"].id, "member")

    assert alone.status_code == 201


@pytest.mark.bar("CHECK-2", "ASVS-8.2.2")
async def test_another_organizations_things_are_not_there(house: House, runtime: Runtime) -> None:
    ours, theirs = await house.organization(ada="owner"), await house.organization(bob="owner")
    account = (await house.by("bob", "POST", accounts_at(theirs), {"name": "robot"})).json()["id"]
    key = (await house.make("bob", keys_at(theirs), scopes=[READ]))["id"]
    wish = {"name": "x", "scopes": [READ]}
    async with nothing_written(runtime, but=TRACES):
        of_others = [
            await house.by("ada", "GET", f"{keys_at(ours)}/{key}"),
            await house.by("ada", "PATCH", f"{keys_at(ours)}/{key}", {"name": "y"}),
            await house.by("ada", "POST", f"{keys_at(ours)}/{key}/rotate"),
            await house.by("ada", "DELETE", f"{keys_at(ours)}/{key}"),
            await house.by("ada", "GET", f"{accounts_at(ours)}/{account}"),
            await house.by("ada", "PATCH", f"{accounts_at(ours)}/{account}", {"name": "y"}),
            await house.by("ada", "PUT", f"{accounts_at(ours)}/{account}/roles", {"roles": []}),
            await house.by("ada", "POST", f"{accounts_at(ours)}/{account}/disable"),
            await house.by("ada", "DELETE", f"{accounts_at(ours)}/{account}"),
            await house.by("ada", "POST", keys_at(ours), {**wish, "service_account_id": account}),
            await house.by("ada", "POST", keys_at(ours), {**wish, "service_account_id": str(uuid4())}),
        ]
        as_outsider = [
            await house.by("ada", "GET", keys_at(theirs)),
            await house.by("ada", "POST", keys_at(theirs), wish),
            await house.by("ada", "GET", accounts_at(theirs)),
            await house.by("ada", "POST", accounts_at(theirs), {"name": "x"}),
        ]

    assert {answer.status_code for answer in [*of_others, *as_outsider]} == {404}
    assert {code_of(answer)[1] for answer in as_outsider} == {"organization_not_found"}


async def test_members_see_none_of_it_and_personal_keys_are_their_own(house: House) -> None:
    ours = await house.organization(ada="owner", bob="member")
    await house.make("bob", organization_id=str(ours), scopes=["organization:member:read"])

    listed = (await house.by("ada", "GET", keys_at(ours))).json()
    refused = [
        await house.by("bob", "GET", keys_at(ours)),
        await house.by("bob", "POST", keys_at(ours), {"name": "x", "scopes": [READ]}),
        await house.by("bob", "GET", accounts_at(ours)),
        await house.by("bob", "POST", accounts_at(ours), {"name": "x"}),
    ]

    assert listed["data"] == []
    assert {code_of(answer) for answer in refused} == {(403, "permission_denied")}


async def test_self_and_platform_permissions_are_no_scopes_of_an_organizations_key(house: House) -> None:
    ours = await house.organization(grace="owner")

    for scope in ("user:self:read", "platform:user:read", "organization:api_key:manage"):
        answer = await house.by("grace", "POST", keys_at(ours), {"name": "x", "scopes": [scope]})

        assert code_of(answer) == (422, "api_key_invalid"), scope


async def test_administrators_find_a_key_that_leaked_and_end_it(house: House) -> None:
    made = await house.make("ada")
    await house.make("ada")

    found = (await house.by("grace", "GET", f"/admin/api-keys?q={made['key'][:8]}")).json()
    own = (await house.by("grace", "GET", f"/admin/api-keys?principal_id={house.people['ada'].id}")).json()
    ended = await house.by("grace", "DELETE", f"/admin/api-keys/{made['id']}")
    revoked = (await house.by("grace", "GET", "/admin/api-keys?state=revoked")).json()

    assert [key["id"] for key in found["data"]] == [made["id"]] == [key["id"] for key in revoked["data"]]
    assert own["pagination"]["total"] == 2
    assert ended.status_code == 204
    assert (await house.by("ada", "GET", "/admin/api-keys")).status_code == 403


@pytest.mark.bar("CHECK-2")
async def test_a_cursor_is_good_in_its_own_organization_only(house: House) -> None:
    ours, theirs = await house.organization(ada="owner"), await house.organization(ada="owner")
    for _ in range(2):
        await house.make("ada", keys_at(ours), scopes=[READ])
        await house.by("ada", "POST", accounts_at(ours), {"name": "x"})
    for path in (keys_at, accounts_at):
        page = (await house.by("ada", "GET", f"{path(ours)}?page_size=1")).json()
        cursor = page["pagination"]["next_cursor"]

        here = await house.by("ada", "GET", f"{path(ours)}?page_size=1&cursor={cursor}")
        there = await house.by("ada", "GET", f"{path(theirs)}?page_size=1&cursor={cursor}")

        assert here.status_code == 200
        assert code_of(there) == (400, "cursor_invalid")
