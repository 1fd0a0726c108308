"""Two at once: one wins, the other is refused, and nothing is left half done. Real transactions on both databases."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from portico.access.errors import LastOwner, RightsNotHeld
from portico.access.services import roles_held
from portico.core.errors import PorticoError
from portico.core.ids import UserId
from portico.organizations.errors import OnlyOwner, SlugTaken, TooManyOrganizations
from portico.organizations.models import Membership, Organization
from portico.organizations.services import Members, NewOrganization, Organizations
from portico.organizations.types import Joined
from portico.runtime import Runtime
from portico.testing.organizations import TestOrganization, TestOrganizations, acting_as
from portico.users.services import Users
from portico.users.types import Account
from tests.sessions.people import add_person, rows_of

pytestmark = pytest.mark.anyio

ROUNDS = 6


@pytest.fixture
async def trio(runtime: Runtime) -> list[Account]:
    return [await add_person(runtime, f"person{number}@example.org") for number in range(3)]


async def outcomes(*acts: Awaitable[Any]) -> list[type[BaseException] | None]:
    """Run the acts at once; return what each was refused with, sorted."""
    found = await asyncio.gather(*acts, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException) and not isinstance(each, PorticoError):
            raise each
    refused = [type(each) if isinstance(each, BaseException) else None for each in found]
    return sorted(refused, key=lambda kind: kind.__name__ if kind else "")


async def roles_in(runtime: Runtime, organization: TestOrganization, *people: Account) -> list[Any]:
    async with runtime.reads() as session:
        held = await roles_held(session, organization.id, [each.id for each in people])
    return [held[each.id] for each in people]


async def test_two_admins_demote_each_other(
    runtime: Runtime, trio: list[Account], organizations: TestOrganizations
) -> None:
    owner, first, second = trio

    for _ in range(ROUNDS):
        acme = await organizations.make(owner)
        await organizations.join(acme, first, "admin")
        await organizations.join(acme, second, "admin")

        refused = await outcomes(
            Members(runtime, runtime.unit()).change_roles(
                acme.id, second.id, ["member"], actor=acting_as(first.id)
            ),
            Members(runtime, runtime.unit()).change_roles(
                acme.id, first.id, ["member"], actor=acting_as(second.id)
            ),
        )

        assert refused == [None, RightsNotHeld]
        assert sorted(await roles_in(runtime, acme, first, second)) == [("admin",), ("member",)]


async def test_two_owners_put_each_other_out(
    runtime: Runtime, trio: list[Account], organizations: TestOrganizations
) -> None:
    first, second, _ = trio

    for _ in range(ROUNDS):
        acme = await organizations.make(first)
        await organizations.join(acme, second, "owner")

        refused = await outcomes(
            Members(runtime, runtime.unit()).remove_member(acme.id, second.id, actor=acting_as(first.id)),
            Members(runtime, runtime.unit()).remove_member(acme.id, first.id, actor=acting_as(second.id)),
        )

        assert refused == [None, RightsNotHeld]
        assert len(await rows_of(runtime, Membership, Membership.organization_id == acme.id)) == 1


async def test_both_owners_leave(
    runtime: Runtime, trio: list[Account], organizations: TestOrganizations
) -> None:
    first, second, _ = trio

    for _ in range(ROUNDS):
        acme = await organizations.make(first)
        await organizations.join(acme, second, "owner")

        refused = await outcomes(
            *(
                Members(runtime, runtime.unit()).leave(acme.id, actor=acting_as(each.id))
                for each in (first, second)
            )
        )

        assert refused == [None, LastOwner]


async def test_owner_leaves_while_the_other_closes_his_account(
    runtime: Runtime, trio: list[Account], organizations: TestOrganizations
) -> None:
    first, second, third = trio
    acme = await organizations.make(first)
    await organizations.join(acme, second, "owner")
    await organizations.join(acme, third)

    refused = await outcomes(
        Members(runtime, runtime.unit()).leave(acme.id, actor=acting_as(first.id)),
        Users(runtime, runtime.unit()).delete_account(second.id),
    )

    assert refused in ([None, LastOwner], [None, OnlyOwner])
    held = await roles_in(runtime, acme, first, second)
    assert sum(roles == ("owner",) for roles in held) == 1


async def test_one_slug_for_many(
    runtime: Runtime, trio: list[Account], organizations: TestOrganizations
) -> None:
    new = NewOrganization(name="Acme", slug="acme-works")

    refused = await outcomes(
        *(
            Organizations(runtime, runtime.unit()).create_organization(
                new, owner_id=each.id, actor=acting_as(each.id)
            )
            for each in trio
        )
    )

    assert refused == [None, SlugTaken, SlugTaken]
    assert len(await rows_of(runtime, Organization)) == 1


async def test_limit_holds_however_many_at_once(runtime: Runtime, trio: list[Account]) -> None:
    owner: UserId = trio[0].id

    refused = await outcomes(
        *(
            Organizations(runtime, runtime.unit()).create_organization(
                NewOrganization(name=f"Company {number}"), owner_id=owner, actor=None, max_owned=2
            )
            for number in range(5)
        )
    )

    assert refused == [None, None, *[TooManyOrganizations] * 3]


@pytest.mark.bar("ASVS-8.3.1")
async def test_rights_are_asked_again_under_the_lock(
    runtime: Runtime, trio: list[Account], organizations: TestOrganizations
) -> None:
    """Who was let in by the route and lost his right before his turn came is refused, however little he asks for."""
    owner, demoted, somebody = trio
    acme = await organizations.make(owner)
    await organizations.join(acme, demoted, "member")
    await organizations.join(acme, somebody, "viewer")

    members = Members(runtime, runtime.unit())
    with pytest.raises(RightsNotHeld):
        await members.change_roles(acme.id, somebody.id, ["member"], actor=acting_as(demoted.id))

    assert await roles_in(runtime, acme, somebody) == [("viewer",)]


async def test_a_refused_addition_leaves_no_half_of_a_member(
    runtime: Runtime, trio: list[Account], organizations: TestOrganizations
) -> None:
    owner, admin, newcomer = trio
    acme = await organizations.make(owner)
    await organizations.join(acme, admin, "admin")

    with pytest.raises(RightsNotHeld):  # kept, with the refusal on the trail
        await Members(runtime, runtime.unit()).add_member(
            acme.id, newcomer.id, ["owner"], how=Joined.ADDED, actor=acting_as(admin.id)
        )

    assert newcomer.id not in [row.user_id for row in await rows_of(runtime, Membership)]
