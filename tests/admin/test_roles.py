"""Roles: given and taken by those who hold them, and never so that nobody is left who may."""

import asyncio

import httpx2
import pytest

from portico.access.errors import RightsNotHeld
from portico.access.models import RoleGrant
from portico.access.services import Grants
from portico.access.types import PlatformRole
from portico.admin.services import Invitations, People
from portico.audit.models import AuditEntry
from portico.core.ids import PrincipalId
from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from portico.runtime import Runtime
from portico.users.services import Users
from portico.users.types import Account, UserStatus
from tests.sessions.people import SignedInPerson, add_person, rows_of, sign_in

pytestmark = pytest.mark.anyio


async def test_roles_are_set_and_the_person_has_them_at_once(
    runtime: Runtime, client: httpx2.AsyncClient, admin: SignedInPerson, ada: Account
) -> None:
    person = await sign_in(client)
    path = f"/admin/users/{ada.id}/roles"
    assert (await person.request("GET", "/admin/stats")).status_code == 403

    given = await admin.request("PUT", path, json={"roles": ["superuser", "superuser"]})
    allowed = (await person.request("GET", "/admin/stats")).status_code
    taken = await admin.request("PUT", path, json={"roles": []})

    assert (given.json(), allowed, taken.json()) == ({"roles": ["superuser"]}, 200, {"roles": []})
    assert (await person.request("GET", "/admin/stats")).status_code == 403
    assert (await admin.request("GET", path)).json() == {"roles": []}
    entries = await rows_of(runtime, AuditEntry, AuditEntry.subject_id == ada.id)
    assert {"role.granted", "role.revoked"} <= {entry.action for entry in entries}


async def test_unknown_roles_are_refused(admin: SignedInPerson, ada: Account) -> None:
    for roles in (["owner"], "superuser", [1], [None]):
        answer = await admin.request("PUT", f"/admin/users/{ada.id}/roles", json={"roles": roles})
        assert answer.status_code == 422


async def test_the_last_superuser_stays(admin: SignedInPerson, root: Account) -> None:
    path = f"/admin/users/{root.id}"
    answers = [
        await admin.request("PUT", f"{path}/roles", json={"roles": []}),
        await admin.request("POST", f"{path}/deactivate"),
        await admin.request("DELETE", path),
        await admin.request("DELETE", "/users/me"),
    ]

    assert [(each.status_code, each.json()["code"]) for each in answers] == [(409, "last_superuser")] * 4
    assert (await admin.request("GET", "/admin/stats")).status_code == 200


async def test_a_superuser_who_is_switched_off_does_not_count(
    runtime: Runtime, admin: SignedInPerson, root: Account, ada: Account
) -> None:
    """Holding the role is not enough: somebody must be able to sign in with it."""
    await Grants(runtime, runtime.unit()).grant_role(ada.id, PlatformRole.SUPERUSER)
    assert (await admin.request("POST", f"/admin/users/{ada.id}/deactivate")).status_code == 200
    path = f"/admin/users/{root.id}"

    answers = [
        await admin.request("PUT", f"{path}/roles", json={"roles": []}),
        await admin.request("POST", f"{path}/deactivate"),
        await admin.request("DELETE", path),
    ]

    assert [(each.status_code, each.json()["code"]) for each in answers] == [(409, "last_superuser")] * 3


@pytest.mark.bar("ASVS-2.3.4", "ASVS-15.4.2")
@pytest.mark.parametrize("act", ["roles", "deactivate", "delete"])
async def test_two_superusers_who_remove_each_other_at_once(
    runtime: Runtime, client: httpx2.AsyncClient, admin: SignedInPerson, root: Account, act: str
) -> None:
    """Exactly one act succeeds, whatever the order; nobody waits for ever."""
    other = await add_person(runtime, "other@example.org")
    await Grants(runtime, runtime.unit()).grant_role(other.id, PlatformRole.SUPERUSER)
    second = await sign_in(client, "other@example.org")

    async def remove(who: SignedInPerson, whom: Account) -> httpx2.Response:
        path = f"/admin/users/{whom.id}"
        if act == "roles":
            return await who.request("PUT", f"{path}/roles", json={"roles": []})
        if act == "deactivate":
            return await who.request("POST", f"{path}/deactivate")
        return await who.request("DELETE", path)

    answers = await asyncio.gather(remove(admin, other), remove(second, root))

    succeeded = [answer.status_code < 300 for answer in answers]
    assert sorted(succeeded) == [False, True], [answer.text for answer in answers]
    assert all(answer.status_code in {200, 204, 401, 403, 409} for answer in answers)
    able = [
        grant
        for grant in await rows_of(runtime, RoleGrant)
        if (await Users(runtime, runtime.unit()).get_user(grant.principal_id)).status is UserStatus.ACTIVE
    ]
    assert len(able) == 1


@pytest.mark.bar("CVE-2026-9795", "CVE-2026-16106", "ASVS-8.2.1")
async def test_nobody_rules_over_rights_that_he_does_not_hold(
    runtime: Runtime, root: Account, ada: Account
) -> None:
    """Enforced in the service, for the day when somebody may change people without being a superuser."""
    delegate = Principal(
        id=PrincipalId(ada.id), kind=PrincipalKind.USER, credential=CredentialKind.BEARER, roles=frozenset()
    )

    def people() -> People:
        return People(runtime, runtime.unit())

    for attempt in (
        lambda: people().set_roles(ada.id, [PlatformRole.SUPERUSER], actor=delegate),
        lambda: people().set_roles(root.id, [], actor=delegate),
        lambda: people().deactivate(root.id, actor=delegate),
        lambda: people().delete_person(root.id, check_version=lambda _: None, actor=delegate),
        lambda: Invitations(runtime, runtime.unit()).create_token(
            actor=delegate, note=None, role=PlatformRole.SUPERUSER, max_uses=1, ttl=None
        ),
    ):
        with pytest.raises(RightsNotHeld):
            await attempt()

    assert [grant.principal_id for grant in await rows_of(runtime, RoleGrant)] == [root.id]
    refused = await rows_of(runtime, AuditEntry, AuditEntry.action == "admin.refused")
    assert len(refused) == 5
