"""How organizations and accounts end, and what goes with them."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from portico.access.errors import LastOwner
from portico.access.models import PrincipalRow, Tenant, TenantGrant
from portico.audit.models import AuditEntry
from portico.http.access import OrganizationNotFound
from portico.messaging import Jobs
from portico.messaging.draining import run_due_jobs
from portico.organizations.errors import OnlyOwner, SlugTaken
from portico.organizations.jobs import erase_organization, purge_organizations
from portico.organizations.models import Membership, Organization, Team
from portico.organizations.services import Members, OrganizationLifecycle, Organizations
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.organizations import TestOrganization, TestOrganizations, acting_as
from portico.users.services import PersonalDataExport, Users
from portico.users.types import Account
from tests.organizations.conftest import Caller
from tests.sessions.people import add_person, rows_of

pytestmark = pytest.mark.anyio

GRACE = timedelta(days=14)


@pytest.fixture
async def owner(runtime: Runtime) -> Account:
    return await add_person(runtime, "owner@example.org")


@pytest.fixture
async def other(runtime: Runtime) -> Account:
    return await add_person(runtime, "other@example.org")


async def facts(runtime: Runtime, organization: TestOrganization) -> Any:
    return await Organizations(runtime, runtime.unit()).find_organization(organization.id)


class TestSwitchedOff:
    @pytest.mark.bar("CVE-2024-46999", "CVE-2024-47000", "CVE-2024-47060")
    async def test_nobody_acts_in_it(
        self, ada: Caller, bob: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        await organizations.join(acme, bob, "admin")
        path = f"/organizations/{acme.id}"
        await bob.ask("PUT", "/organizations/active", json={"organization_id": str(acme.id)})
        await organizations.disable(acme)

        for caller in (ada, bob):
            for method, rest in (("GET", ""), ("GET", "/members"), ("PATCH", "/settings"), ("DELETE", "")):
                code = await caller.refused(method, path + rest, 403, json={} if method == "PATCH" else None)
                assert code == "organization_disabled"
            body = {"organization_id": str(acme.id)}
            code = await caller.refused("PUT", "/organizations/active", 403, json=body)
            assert code == "organization_disabled"

    async def test_outsiders_still_see_nothing(
        self, eve: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        await organizations.disable(acme)

        assert await eve.refused("GET", f"/organizations/{acme.id}", 404) == "organization_not_found"

    async def test_restored_it_stays_off(
        self, runtime: Runtime, owner: Account, organizations: TestOrganizations
    ) -> None:
        acme = await organizations.make(owner)
        await organizations.disable(acme)
        await organizations.delete(acme)

        lifecycle = OrganizationLifecycle(runtime, runtime.unit())
        await lifecycle.restore_own(acme.id, actor=acting_as(owner.id))

        (tenant,) = await rows_of(runtime, Tenant, Tenant.id == acme.id)
        assert tenant.disabled_at is not None


class TestErasing:
    @pytest.mark.bar("CVE-2026-55670")
    async def test_rows_go_when_the_grace_is_over(
        self, runtime: Runtime, owner: Account, organizations: TestOrganizations, clock: FrozenClock
    ) -> None:
        acme = await organizations.make(owner)
        await organizations.make_team(acme, members=[owner], roles=["viewer"])
        await organizations.delete(acme)

        clock.advance(GRACE - timedelta(minutes=1))
        await _purge(runtime)
        assert await facts(runtime, acme) is not None

        clock.advance(timedelta(minutes=2))
        await _purge(runtime)

        for model, column in (
            (Organization, Organization.id),
            (Membership, Membership.organization_id),
            (Team, Team.organization_id),
            (Tenant, Tenant.id),
            (TenantGrant, TenantGrant.tenant_id),
            (PrincipalRow, PrincipalRow.id),
        ):
            assert await rows_of(runtime, model, column == acme.id) == [], model
        erased = AuditEntry.action == "organization.erased"
        assert len(await rows_of(runtime, AuditEntry, erased, AuditEntry.organization_id == acme.id)) == 1

    async def test_restored_in_time(
        self, runtime: Runtime, owner: Account, organizations: TestOrganizations, clock: FrozenClock
    ) -> None:
        acme = await organizations.make(owner)
        await organizations.delete(acme)
        clock.advance(GRACE + timedelta(days=1))
        await OrganizationLifecycle(runtime, runtime.unit()).restore_own(acme.id, actor=acting_as(owner.id))

        await _purge(runtime)
        assert not await OrganizationLifecycle(runtime, runtime.unit()).erase(acme.id)

        assert (await facts(runtime, acme)).deleted_at is None

    async def test_stranger_restores_nothing(
        self, runtime: Runtime, owner: Account, other: Account, organizations: TestOrganizations
    ) -> None:
        acme = await organizations.make(owner)
        await organizations.delete(acme)

        with pytest.raises(OrganizationNotFound):
            await OrganizationLifecycle(runtime, runtime.unit()).restore_own(
                acme.id, actor=acting_as(other.id)
            )


class TestClosingAnAccount:
    async def test_only_owner_of_others(
        self, runtime: Runtime, owner: Account, other: Account, organizations: TestOrganizations
    ) -> None:
        acme = await organizations.make(owner, "Acme")
        await organizations.join(acme, other)

        with pytest.raises(OnlyOwner) as refused:
            await Users(runtime, runtime.unit()).delete_account(owner.id)

        assert [each["name"] for each in refused.value.extensions["organizations"]] == ["Acme"]
        assert (await Members(runtime, runtime.unit()).get_member(acme.id, owner.id)).roles == ("owner",)
        assert await Users(runtime, runtime.unit()).find_user(owner.id) is not None

    async def test_told_by_the_api(
        self, ada: Caller, bob: Caller, acme: TestOrganization, organizations: TestOrganizations
    ) -> None:
        await organizations.join(acme, bob)

        answer = await ada.ask("DELETE", "/users/me", 409, json={"password": "an engine of figures"})

        assert answer["code"] == "last_owner"
        assert [each["slug"] for each in answer["organizations"]] == [acme.slug]

    async def test_one_of_two_owners(
        self, runtime: Runtime, owner: Account, other: Account, organizations: TestOrganizations
    ) -> None:
        acme = await organizations.make(owner)
        await organizations.join(acme, other, "owner")

        await Users(runtime, runtime.unit()).delete_account(owner.id)

        remaining = await rows_of(runtime, Membership, Membership.organization_id == acme.id)
        assert [row.user_id for row in remaining] == [other.id]
        with pytest.raises(LastOwner):
            await Members(runtime, runtime.unit()).leave(acme.id, actor=acting_as(other.id))

    async def test_alone_it_goes_with_him(
        self, runtime: Runtime, owner: Account, organizations: TestOrganizations, clock: FrozenClock
    ) -> None:
        acme = await organizations.make(owner)

        await Users(runtime, runtime.unit()).delete_account(owner.id)
        assert (await facts(runtime, acme)).deleted_at is not None

        clock.advance(timedelta(days=400))
        await Users(runtime, runtime.unit()).purge_deleted()
        assert await facts(runtime, acme) is None
        assert await rows_of(runtime, TenantGrant, TenantGrant.holder_id == owner.id) == []

    async def test_owner_switched_off_is_noted(
        self, runtime: Runtime, owner: Account, other: Account, organizations: TestOrganizations
    ) -> None:
        acme = await organizations.make(owner)
        await organizations.join(acme, other)

        await Users(runtime, runtime.unit()).deactivate_user(owner.id)

        noted = AuditEntry.action == "organization.left_without_owner"
        (entry,) = await rows_of(runtime, AuditEntry, noted)
        assert entry.organization_id == acme.id

    async def test_export(self, runtime: Runtime, owner: Account, organizations: TestOrganizations) -> None:
        acme = await organizations.make(owner, "Acme")

        data = await PersonalDataExport(runtime, runtime.unit()).export_data(owner.id)

        (membership,) = data["organizations"]
        assert (membership["name"], membership["roles"]) == ("Acme", ["owner"])
        assert membership["organization_id"] == str(acme.id)


class TestTrail:
    async def test_every_act_has_its_entry(
        self, runtime: Runtime, owner: Account, other: Account, organizations: TestOrganizations
    ) -> None:
        acme = await organizations.make(owner)
        await organizations.join(acme, other)
        actor = acting_as(owner.id)
        await Members(runtime, runtime.unit()).change_roles(acme.id, other.id, ["admin"], actor=actor)
        await Members(runtime, runtime.unit()).remove_member(acme.id, other.id, actor=actor)
        await organizations.disable(acme)
        await OrganizationLifecycle(runtime, runtime.unit()).enable(acme.id, actor=None)
        await OrganizationLifecycle(runtime, runtime.unit()).delete(acme.id, actor=actor)

        entries = await rows_of(runtime, AuditEntry, AuditEntry.organization_id == acme.id)
        acts = {entry.action for entry in entries}
        assert acts >= {
            "organization.created",
            "organization.member_joined",
            "organization.roles_changed",
            "organization.member_left",
            "organization.disabled",
            "organization.enabled",
            "organization.deleted",
        }


async def test_an_erasing_that_comes_late_leaves_who_was_deleted_anew(
    runtime: Runtime, clock: FrozenClock, owner: Account, organizations: TestOrganizations
) -> None:
    acme = await organizations.make(owner)
    await organizations.delete(acme)
    clock.advance(GRACE + timedelta(days=1))
    async with runtime.unit() as unit:
        runtime.get(Jobs).enqueue(unit, erase_organization, organization_id=acme.id)
    await OrganizationLifecycle(runtime, runtime.unit()).restore(acme.id, actor=None)
    await organizations.delete(acme)

    await run_due_jobs(runtime)
    left = [row.id for row in await rows_of(runtime, Organization)]
    clock.advance(GRACE)
    await _purge(runtime)

    assert left == [acme.id]
    assert await rows_of(runtime, Organization) == []


async def _purge(runtime: Runtime) -> None:
    async with runtime.unit() as unit:
        runtime.get(Jobs).enqueue(unit, purge_organizations)
    await run_due_jobs(runtime)


async def test_count_of_tenants_and_organizations_is_one(
    runtime: Runtime, owner: Account, organizations: TestOrganizations
) -> None:
    """A refused slug leaves no tenant behind."""
    await organizations.make(owner, "Acme", slug="acme-works")
    with pytest.raises(SlugTaken):
        await organizations.make(owner, "Other", slug="acme-works")

    async with runtime.reads() as session:
        assert await session.scalar(select(func.count()).select_from(Tenant)) == 1
