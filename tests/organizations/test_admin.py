"""Administrators of the deployment: what each of them may see of organizations, and do with them."""

from typing import Any

import pytest

from portico.access.services import Grants
from portico.access.types import PlatformRole
from portico.core.ids import new_id
from portico.runtime import Runtime
from portico.testing.organizations import TestOrganization, TestOrganizations
from tests.organizations.conftest import Caller

pytestmark = pytest.mark.anyio

PATH = "/admin/organizations"


@pytest.fixture
async def root(runtime: Runtime, enter: Any) -> Caller:
    """The administrator."""
    caller: Caller = await enter("root")
    await Grants(runtime, runtime.unit()).grant_role(caller.id, PlatformRole.SUPERUSER)
    return caller


async def test_list_search_and_standing(
    root: Caller, ada: Caller, acme: TestOrganization, organizations: TestOrganizations
) -> None:
    off = await organizations.make(ada, "Off switch")
    gone = await organizations.make(ada, "Gone away")
    await organizations.disable(off)
    await organizations.delete(gone)

    async def names(**params: Any) -> list[str]:
        return [each["name"] for each in (await root.ask("GET", PATH, params=params))["data"]]

    assert await names() == ["Off switch", "Acme"]
    assert await names(status="active") == ["Acme"]
    assert await names(status="disabled") == ["Off switch"]
    assert await names(status="deleted") == ["Gone away"]
    assert await names(q="SWITCH") == ["Off switch"]
    assert await names(q="_") == []


async def test_cursor_through_the_list(root: Caller, ada: Caller, organizations: TestOrganizations) -> None:
    made = [str((await organizations.make(ada)).id) for _ in range(5)]
    found: list[str] = []
    params: dict[str, Any] = {"page_size": 2}
    while True:
        page = await root.ask("GET", PATH, params=params)
        found += [each["id"] for each in page["data"]]
        if not page["pagination"]["has_next"]:
            break
        params["cursor"] = page["pagination"]["next_cursor"]

    assert found == made[::-1]


async def test_whole_life(root: Caller, ada: Caller, bob: Caller) -> None:
    made = await root.ask("POST", PATH, json={"name": "Acme", "owner_id": str(ada.id)})
    path = f"{PATH}/{made['id']}"
    assert (await ada.ask("GET", f"/organizations/{made['id']}"))["roles"] == ["owner"]
    assert await root.refused("POST", PATH, 404, json={"name": "Acme", "owner_id": str(new_id())})

    renamed = await root.ask("PATCH", path, json={"name": "Acme Ltd"}, headers={"If-Match": '"1"'})
    assert renamed["version"] == 2
    body = {"user_id": str(bob.id), "roles": ["member"]}
    assert (await root.ask("POST", f"{path}/members", json=body))["how"] == "added"
    assert await root.refused("POST", f"{path}/members", 409, json=body) == "already_member"
    changed = await root.ask("PATCH", f"{path}/members/{bob.id}", json={"roles": ["owner"]})
    assert changed["roles"] == ["owner"]
    await root.ask("DELETE", f"{path}/members/{ada.id}")
    assert await root.refused("DELETE", f"{path}/members/{bob.id}", 409) == "last_owner"
    assert len((await root.ask("GET", f"{path}/members"))["data"]) == 1

    assert (await root.ask("POST", f"{path}/disable"))["status"] == "disabled"
    assert (await root.ask("POST", f"{path}/enable"))["status"] == "active"
    await root.ask("DELETE", path)
    assert (await root.ask("GET", path))["status"] == "deleted"
    assert (await root.ask("POST", f"{path}/restore", json={}))["status"] == "active"
    await root.refused("GET", f"{PATH}/{new_id()}", 404)


@pytest.mark.bar("CHECK-1", "ASVS-8.2.1")
@pytest.mark.parametrize("role", [PlatformRole.SUPPORT, PlatformRole.AUDITOR])
async def test_who_only_looks(
    runtime: Runtime, bob: Caller, acme: TestOrganization, role: PlatformRole
) -> None:
    await Grants(runtime, runtime.unit()).grant_role(bob.id, role)
    path = f"{PATH}/{acme.id}"

    for method, where in (("GET", PATH), ("GET", path), ("GET", f"{path}/members")):
        await bob.ask(method, where)
    for method, where, body in (
        ("POST", PATH, {"name": "Mine", "owner_id": str(bob.id)}),
        ("PATCH", path, {"name": "Mine"}),
        ("DELETE", path, None),
        ("POST", f"{path}/disable", None),
        ("POST", f"{path}/restore", {}),
        ("POST", f"{path}/members", {"user_id": str(bob.id), "roles": ["owner"]}),
    ):
        assert await bob.refused(method, where, 403, json=body) == "permission_denied"
    assert await bob.refused("GET", f"/organizations/{acme.id}", 404) == "organization_not_found"


async def test_owners_are_no_administrators(ada: Caller, acme: TestOrganization) -> None:
    assert await ada.refused("GET", PATH, 403) == "permission_denied"
    assert await ada.refused("POST", f"{PATH}/{acme.id}/enable", 403) == "permission_denied"
