"""Giving and taking roles in organizations: bounded by what the giver holds, never without an owner."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import func, select

from portico.access.errors import (
    GroupNotFound,
    LastOwner,
    PermissionUnknown,
    RightsNotHeld,
    RoleFixed,
    RoleInUse,
    RoleNotFound,
    RoleTaken,
)
from portico.access.models import TenantGrant
from portico.access.services import Groups, TenantGrants, TenantRoles, Tenants, rights_in, roles_held
from portico.access.types import PlatformRole
from portico.audit.models import AuditEntry
from portico.core.errors import PorticoError
from portico.core.ids import OrganizationId
from portico.http.authentication import Principal
from portico.runtime import Runtime
from tests.access.conftest import House, PaperPermission

pytestmark = pytest.mark.anyio


def any_version(version: int) -> None:
    """Accept whatever version there is."""


async def held(runtime: Runtime, organization_id: OrganizationId, principal: Principal) -> tuple[str, ...]:
    async with runtime.reads() as session:
        return (await roles_held(session, organization_id, [principal.id]))[principal.id]


async def permissions(
    runtime: Runtime, organization_id: OrganizationId, principal: Principal
) -> frozenset[str]:
    rights = await rights_in(runtime, principal.id, organization_id)
    return (
        frozenset(held for held in rights.permissions if held.startswith("paper:")) if rights else frozenset()
    )


async def make_role(
    runtime: Runtime,
    organization_id: OrganizationId,
    actor: Principal,
    *given: PaperPermission,
    name: str = "clerk",
) -> str:
    roles = TenantRoles(runtime, runtime.unit())
    role = await roles.create_role(
        organization_id, name=name, title="Clerk", permissions=[each.value for each in given], actor=actor
    )
    return str(role.id)


@pytest.mark.bar("CVE-2026-16106", "ASVS-8.2.1")
async def test_nobody_gives_or_takes_what_he_does_not_hold(runtime: Runtime, house: House) -> None:
    owner = await house.principal("owner")
    ours = await house.tenant(owner)
    admin, member = await house.principal("admin"), await house.principal("member")
    await house.grant(ours, admin.id, "admin", actor=owner)
    await house.grant(ours, member.id, "member", actor=admin)

    for refused in (
        house.grant(ours, member.id, "owner", actor=admin),
        house.grant(ours, owner.id, "viewer", actor=admin),
        house.grant(ours, admin.id, "viewer", actor=member),
        house.grant(ours, member.id, "admin", actor=member),
        house.grant(ours, member.id, "viewer", actor=await house.principal("stranger")),
        TenantGrants(runtime, runtime.unit()).put_out(ours, owner.id, actor=admin),
        TenantGrants(runtime, runtime.unit()).put_out(ours, admin.id, actor=member),
    ):
        with pytest.raises(RightsNotHeld):
            await refused

    assert [await held(runtime, ours, each) for each in (owner, admin, member)] == [
        ("owner",),
        ("admin",),
        ("member",),
    ]
    async with runtime.reads() as session:
        refusals = select(func.count()).where(AuditEntry.action == "role.refused")
        assert await session.scalar(refusals) == 7


async def test_a_credential_gives_no_more_than_its_scopes(runtime: Runtime, house: House) -> None:
    owner = await house.principal("owner")
    ours = await house.tenant(owner)
    member = await house.principal("member")
    narrow = replace(owner, scopes=frozenset({PaperPermission.READ.value}))

    await house.grant(ours, member.id, "printer", actor=narrow)
    with pytest.raises(RightsNotHeld):
        await house.grant(ours, member.id, "member", actor=narrow)


async def test_a_superuser_gives_what_he_likes(runtime: Runtime, house: House) -> None:
    ours = await house.tenant(await house.principal("owner"))
    root = await house.principal("root", roles=frozenset({PlatformRole.SUPERUSER.value}))
    member = await house.principal("member")

    assert await house.grant(ours, member.id, "owner", actor=root) == ("owner",)


async def test_an_organization_is_never_without_an_owner_who_can_act(runtime: Runtime, house: House) -> None:
    owner = await house.principal("owner")
    ours = await house.tenant(owner)
    other = await house.principal("other")
    await house.grant(ours, other.id, "admin", actor=owner)

    with pytest.raises(LastOwner):
        await house.grant(ours, owner.id, "admin", actor=owner)
    with pytest.raises(LastOwner):
        await TenantGrants(runtime, runtime.unit()).put_out(ours, owner.id, actor=owner)

    assert await held(runtime, ours, owner) == ("owner",)
    await house.grant(ours, other.id, "owner", actor=owner)
    await TenantGrants(runtime, runtime.unit()).put_out(ours, owner.id, actor=owner)
    assert (await held(runtime, ours, owner), await held(runtime, ours, other)) == ((), ("owner",))


async def outcome_of(act: Awaitable[object]) -> str:
    try:
        await act
    except PorticoError as error:
        return error.code
    return "done"


async def test_two_who_take_each_others_rights_at_once_do_not_both_succeed(
    runtime: Runtime, house: House
) -> None:
    ours = await house.tenant(await house.principal("owner"))
    ada, bob = await house.principal("ada"), await house.principal("bob")
    for each in (ada, bob):
        await house.grant(ours, each.id, "admin")

    outcomes = await asyncio.gather(
        outcome_of(house.grant(ours, bob.id, "viewer", actor=ada)),
        outcome_of(house.grant(ours, ada.id, "viewer", actor=bob)),
    )

    assert sorted(outcomes) == ["done", "rights_not_held"]
    assert sorted([await held(runtime, ours, ada), await held(runtime, ours, bob)]) == [
        ("admin",),
        ("viewer",),
    ]


async def test_two_owners_who_leave_at_once_leave_one_behind(runtime: Runtime, house: House) -> None:
    ada, bob = await house.principal("ada"), await house.principal("bob")
    ours = await house.tenant(ada)
    await house.grant(ours, bob.id, "owner")

    def leave(who: Principal) -> Awaitable[None]:
        return TenantGrants(runtime, runtime.unit()).put_out(ours, who.id, actor=who)

    outcomes = await asyncio.gather(outcome_of(leave(ada)), outcome_of(leave(bob)))

    assert sorted(outcomes) == ["done", "last_owner"]


async def test_fifty_grants_of_the_same_role_are_one(runtime: Runtime, house: House) -> None:
    owner, member = await house.principal("owner"), await house.principal("member")
    ours = await house.tenant(owner)

    outcomes = await asyncio.gather(
        *(outcome_of(house.grant(ours, member.id, "member", actor=owner)) for _ in range(50))
    )

    assert set(outcomes) == {"done"}
    async with runtime.reads() as session:
        query = select(func.count()).where(TenantGrant.holder_id == member.id)
        assert await session.scalar(query) == 1


async def test_a_role_made_at_run_time_holds_what_it_names_until_it_is_changed(
    runtime: Runtime, house: House
) -> None:
    owner, member = await house.principal("owner"), await house.principal("member")
    ours = await house.tenant(owner)
    clerk = await make_role(runtime, ours, owner, PaperPermission.READ, PaperPermission.DELETE)
    await house.grant(ours, member.id, clerk, actor=owner)
    before = await permissions(runtime, ours, member)

    roles = TenantRoles(runtime, runtime.unit())
    await roles.update_role(
        ours,
        UUID(clerk),
        permissions=["paper:paper:read"],
        check_version=any_version,
        actor=owner,
    )

    assert before == {"paper:paper:read", "paper:paper:delete"}
    assert await permissions(runtime, ours, member) == {"paper:paper:read"}
    with pytest.raises(RoleInUse):
        await TenantRoles(runtime, runtime.unit()).delete_role(
            ours,
            UUID(clerk),
            check_version=any_version,
            actor=owner,
        )
    await house.grant(ours, member.id, "viewer", actor=owner)
    await TenantRoles(runtime, runtime.unit()).delete_role(
        ours,
        UUID(clerk),
        check_version=any_version,
        actor=owner,
    )
    assert [
        role.name for role in await TenantRoles(runtime, runtime.unit()).list_roles(ours) if role.id
    ] == []


@pytest.mark.bar("CVE-2026-16106")
async def test_a_role_holds_nothing_that_its_maker_lacks(runtime: Runtime, house: House) -> None:
    owner, admin, member = [await house.principal(name) for name in ("owner", "admin", "member")]
    ours = await house.tenant(owner)
    await house.grant(ours, admin.id, "admin")
    await house.grant(ours, member.id, "member")
    rich = await make_role(runtime, ours, owner, PaperPermission.SIGN)

    async def update(actor: Principal, *wanted: PaperPermission) -> None:
        await TenantRoles(runtime, runtime.unit()).update_role(
            ours,
            UUID(rich),
            permissions=[each.value for each in wanted],
            check_version=any_version,
            actor=actor,
        )

    for refused in (
        make_role(runtime, ours, member, PaperPermission.DELETE, name="sly"),
        make_role(runtime, ours, admin, PaperPermission.SIGN, name="sly"),
        update(admin, PaperPermission.READ),  # taking what he lacks is ruling over it
        update(admin, PaperPermission.SIGN, PaperPermission.READ),
        house.grant(ours, member.id, rich, actor=admin),
    ):
        with pytest.raises(RightsNotHeld):
            await refused


@pytest.mark.bar("CVE-2025-64431", "ASVS-8.4.1")
async def test_roles_and_groups_of_another_organization_do_not_exist(runtime: Runtime, house: House) -> None:
    ada, bob = await house.principal("ada"), await house.principal("bob")
    ours, theirs = await house.tenant(ada), await house.tenant(bob)
    foreign = await make_role(runtime, theirs, bob, PaperPermission.READ)
    async with (unit := runtime.unit()):
        group_id = await Groups(runtime, unit).add_group(theirs)

    with pytest.raises(RoleNotFound):
        await house.grant(ours, ada.id, "owner", foreign, actor=ada)
    with pytest.raises(GroupNotFound):
        async with (unit := runtime.unit()):
            await Groups(runtime, unit).add_member(ours, group_id, ada.id, actor=ada)

    assert await held(runtime, ours, ada) == ("owner",)


@pytest.mark.parametrize(
    ("name", "given", "error"),
    [
        ("owner", ["paper:paper:read"], RoleFixed),
        ("printer", ["paper:paper:read"], RoleFixed),
        ("clerk", ["paper:paper:nonsense"], PermissionUnknown),
        ("clerk", ["platform:paper:count"], PermissionUnknown),
        ("clerk", ["paper:self:list"], PermissionUnknown),
        ("No Name", [], PorticoError),
        ("taken", [], RoleTaken),
    ],
)
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_roles_that_cannot_be_are_refused(
    runtime: Runtime, house: House, name: str, given: list[str], error: type[PorticoError]
) -> None:
    owner = await house.principal("owner")
    ours = await house.tenant(owner)
    await make_role(runtime, ours, owner, name="taken")

    with pytest.raises(error):
        await TenantRoles(runtime, runtime.unit()).create_role(
            ours, name=name, title="", permissions=given, actor=owner
        )


async def test_a_group_gives_its_roles_to_members_and_to_nobody_else(runtime: Runtime, house: House) -> None:
    owner, member, outsider = [await house.principal(name) for name in ("owner", "member", "outsider")]
    ours = await house.tenant(owner)
    await house.grant(ours, member.id, "viewer")
    async with (unit := runtime.unit()):
        group_id = await Groups(runtime, unit).add_group(ours)
    await house.grant(ours, group_id, "admin", actor=owner, kind="team")

    async def change(act: Callable[[Groups], Awaitable[bool]]) -> bool:
        async with (unit := runtime.unit()):
            return await act(Groups(runtime, unit))

    await change(lambda groups: groups.add_member(ours, group_id, member.id, actor=owner))
    await change(lambda groups: groups.add_member(ours, group_id, outsider.id, actor=owner))
    inside = await permissions(runtime, ours, member)
    outside = await rights_in(runtime, outsider.id, ours)
    await change(lambda groups: groups.remove_member(ours, group_id, member.id, actor=owner))

    assert PaperPermission.DELETE.value in inside
    assert outside is None
    assert await permissions(runtime, ours, member) == {"paper:paper:read"}


async def test_a_viewer_does_not_lift_himself_by_a_group(runtime: Runtime, house: House) -> None:
    owner, viewer = await house.principal("owner"), await house.principal("viewer")
    ours = await house.tenant(owner)
    await house.grant(ours, viewer.id, "viewer")
    async with (unit := runtime.unit()):
        group_id = await Groups(runtime, unit).add_group(ours)
    await house.grant(ours, group_id, "admin", actor=owner, kind="team")

    with pytest.raises(RightsNotHeld):
        async with (unit := runtime.unit()):
            await Groups(runtime, unit).add_member(ours, group_id, viewer.id, actor=viewer)


async def test_a_removal_that_is_refused_takes_nobody_from_his_groups(runtime: Runtime, house: House) -> None:
    owner, admin = await house.principal("owner"), await house.principal("admin")
    ours = await house.tenant(owner)
    await house.grant(ours, admin.id, "admin")
    async with (unit := runtime.unit()):
        group_id = await Groups(runtime, unit).add_group(ours)
        await Groups(runtime, unit).add_member(ours, group_id, owner.id, actor=owner)

    with pytest.raises(RightsNotHeld):  # kept, with the refusal on the trail
        await TenantGrants(runtime, runtime.unit()).put_out(ours, owner.id, actor=admin)

    async with (unit := runtime.unit()):
        assert list(await Groups(runtime, unit).list_members(group_id)) == [owner.id]


async def test_what_was_removed_leaves_nothing_behind(runtime: Runtime, house: House) -> None:
    owner = await house.principal("owner")
    ours = await house.tenant(owner)
    clerk = await make_role(runtime, ours, owner, PaperPermission.READ)
    await house.grant(ours, owner.id, "owner", clerk, actor=owner)
    await rights_in(runtime, owner.id, ours)

    async with (unit := runtime.unit()):
        await Tenants(runtime, unit).remove(ours)

    assert await rights_in(runtime, owner.id, ours) is None
    async with runtime.reads() as session:
        assert await session.scalar(select(func.count()).select_from(TenantGrant)) == 0
