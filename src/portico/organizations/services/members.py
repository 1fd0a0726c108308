"""Who belongs to an organization, and as what. Roles are granted in `portico.access`, under the tenant's lock."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from portico.access.services import TenantGrants, Tenants, roles_held
from portico.access.types import OrganizationRole
from portico.core.ids import OrganizationId, PrincipalId, UserId
from portico.db.unit import DatabaseSession
from portico.http.access import OrganizationNotFound
from portico.http.authentication import Principal
from portico.http.pagination import Cursors, Page
from portico.organizations.errors import AlreadyMember, TransferPointless
from portico.organizations.events import MemberJoined, MemberLeft, OwnershipTransferred
from portico.organizations.models import Membership
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.repositories import MembershipRepository
from portico.organizations.schemas import MemberListQuery
from portico.organizations.services.acts import Acts
from portico.organizations.types import Joined, MemberFacts
from portico.sessions.services import ActiveOrganizations

OWNER, ADMIN = OrganizationRole.OWNER.value, OrganizationRole.ADMIN.value


class Members(Acts):
    """Lists, adds, changes and removes members; hands ownership over."""

    async def list_members(
        self, organization_id: OrganizationId, query: MemberListQuery
    ) -> Page[MemberFacts]:
        """Return one page.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        async with self._runtime.reads() as session:
            found = await MembershipRepository(session).list_members(
                organization_id, query, Cursors.of(self._runtime)
            )
            people = await MembershipRepository(session).list_of(organization_id, found.rows)
            members = await with_roles(session, organization_id, in_order(people, found.rows))
        return Page[Any](data=members, pagination=found.pagination)

    async def get_member(self, organization_id: OrganizationId, user_id: UUID) -> MemberFacts:
        """Return a member.

        Raises:
            MemberNotFound: nobody, or no member of this organization (404).
        """
        if self._unit.is_open:
            return await self._member(self._unit.session, organization_id, user_id)
        async with self._runtime.reads() as session:
            return await self._member(session, organization_id, user_id)

    async def list_some(self, organization_id: OrganizationId, user_ids: Sequence[UUID]) -> list[MemberFacts]:
        """Return those of the people who are members."""
        async with self._runtime.reads() as session:
            found = await MembershipRepository(session).list_of(organization_id, user_ids)
            return await with_roles(session, organization_id, found)

    async def add_member(
        self,
        organization_id: OrganizationId,
        user_id: UserId,
        roles: Collection[str],
        *,
        how: Joined,
        actor: Principal | None,
        invited_by: UUID | None = None,
        let_in_by: UUID | None = None,
        is_measured: bool = True,
    ) -> None:
        """Have a person belong to the organization with these roles.

        Who comes by an invitation was measured when it was made: `is_measured=False`. `let_in_by` is whom the trail
        names where there is no actor and the person did nothing himself.

        Raises:
            OrganizationNotFound, UserNotFound, RoleNotFound (404), AlreadyMember (409).
            RightsNotHeld: a role holds what the actor lacks (403).
        """
        async with self._unit:
            await self._locked(organization_id)
            members = MembershipRepository(self._unit.session)
            await members.lock_person(user_id)
            if await members.exists_membership(organization_id, user_id):
                raise AlreadyMember
            now = self._runtime.clock.now()
            # First of all that is written: its refusal is kept, and so would be whatever stood before it.
            await TenantGrants(self._runtime, self._unit).set_roles(
                organization_id, user_id, roles, actor=actor if is_measured else None
            )
            members.add(
                Membership(
                    organization_id=organization_id,
                    user_id=user_id,
                    how=how,
                    invited_by=invited_by,
                    joined_at=now,
                )
            )
            await members.flush()
            self._record(
                "organization.member_joined",
                organization_id,
                actor=actor or let_in_by or user_id,
                subject=("user", user_id),
                details={"how": how.value, "roles": sorted(roles)},
            )
            await self._emit(MemberJoined(at=now, organization_id=organization_id, user_id=user_id, how=how))

    async def change_roles(
        self,
        organization_id: OrganizationId,
        user_id: UUID,
        roles: Collection[str],
        *,
        actor: Principal,
        permission: OrganizationPermission | None = OrganizationPermission.MEMBER_UPDATE,
    ) -> MemberFacts:
        """Have a member hold these roles and no others, with his next request.

        Raises:
            OrganizationNotFound, MemberNotFound, RoleNotFound (404), LastOwner (409).
            RightsNotHeld: a role that would be given or taken holds what the actor lacks (403).
        """
        async with self._unit:
            await self._locked(organization_id, actor=actor, permission=permission)
            await MembershipRepository(self._unit.session).require(organization_id, user_id)
            await TenantGrants(self._runtime, self._unit).set_roles(
                organization_id, user_id, roles, actor=actor
            )
            return await self.get_member(organization_id, user_id)

    async def remove_member(
        self,
        organization_id: OrganizationId,
        user_id: UUID,
        *,
        actor: Principal,
        permission: OrganizationPermission | None = OrganizationPermission.MEMBER_REMOVE,
    ) -> None:
        """Put a member out: roles and teams go, and what he does next there is refused.

        Raises:
            OrganizationNotFound, MemberNotFound (404), LastOwner (409).
            RightsNotHeld: he holds what the actor lacks (403).
        """
        async with self._unit:
            await self._locked(organization_id, actor=actor, permission=permission)
            await MembershipRepository(self._unit.session).require(organization_id, user_id)
            await TenantGrants(self._runtime, self._unit).put_out(organization_id, user_id, actor=actor)
            await self.forget(organization_id, _user(user_id), actor=actor, reason="removed")

    async def leave(self, organization_id: OrganizationId, *, actor: Principal) -> None:
        """Have the caller belong to the organization no longer; also where it is switched off.

        Raises:
            OrganizationNotFound: he does not belong to it (404).
            LastOwner: he is its only owner who can act (409).
        """
        user_id = _user(actor.id)
        async with self._unit:
            await Tenants(self._runtime, self._unit).lock(organization_id)
            await self._require_own(organization_id, user_id)
            await TenantGrants(self._runtime, self._unit).put_out(organization_id, user_id, actor=actor)
            await self.forget(organization_id, user_id, actor=actor, reason="left")

    async def transfer_ownership(
        self, organization_id: OrganizationId, user_id: UUID, *, actor: Principal | None
    ) -> None:
        """Make a member the owner. Who gives it away stays as administrator; a stranger to it takes it from all.

        Raises:
            OrganizationNotFound, MemberNotFound (404), TransferPointless (409).
            LastOwner: the new owner's account is switched off (409).
            RightsNotHeld: the actor is no owner any more (403).
        """
        async with self._unit:
            await self._locked(
                organization_id, actor=actor, permission=OrganizationPermission.TRANSFER_OWNERSHIP
            )
            members = MembershipRepository(self._unit.session)
            await members.require(organization_id, user_id)
            owners = await members.list_owners(organization_id)
            givers = (
                [actor.id]
                if actor is not None and actor.id in owners
                else [each for each in owners if each != user_id]
            )
            if user_id in givers or (user_id in owners and not givers):
                raise TransferPointless
            if user_id not in owners:
                await self._add_role(organization_id, user_id, OWNER, actor=actor)
            for giver in givers:
                await self._add_role(organization_id, giver, ADMIN, without=OWNER, actor=actor)
            self._record(
                "organization.ownership_transferred",
                organization_id,
                actor=actor,
                subject=("user", user_id),
                details={"from": [str(giver) for giver in givers]},
            )
            event = OwnershipTransferred(
                at=self._runtime.clock.now(), organization_id=organization_id, user_id=_user(user_id)
            )
            await self._emit(event)

    async def forget(
        self, organization_id: OrganizationId, user_id: UserId, *, actor: Principal | UUID | None, reason: str
    ) -> None:
        """End the membership of somebody whose roles are gone already; his sessions work there no longer."""
        await MembershipRepository(self._unit.session).delete(organization_id, user_id)
        await ActiveOrganizations(self._runtime, self._unit).leave(user_id, organization_id)
        self._record(
            "organization.member_left",
            organization_id,
            actor=actor,
            subject=("user", user_id),
            reason=reason,
        )
        event = MemberLeft(at=self._runtime.clock.now(), organization_id=organization_id, user_id=user_id)
        await self._emit(event)

    async def _add_role(
        self,
        organization_id: OrganizationId,
        user_id: UUID,
        role: str,
        *,
        without: str | None = None,
        actor: Principal | None,
    ) -> None:
        held = await roles_held(self._unit.session, organization_id, [user_id])
        wanted = ({*held[user_id]} - {without}) | {role}
        await TenantGrants(self._runtime, self._unit).set_roles(organization_id, user_id, wanted, actor=actor)

    async def _require_own(self, organization_id: OrganizationId, user_id: UserId) -> None:
        members = MembershipRepository(self._unit.session)
        if not await members.exists_membership(organization_id, user_id):
            raise OrganizationNotFound

    async def _member(
        self, session: DatabaseSession, organization_id: OrganizationId, user_id: UUID
    ) -> MemberFacts:
        found = await MembershipRepository(session).get_member(organization_id, user_id)
        return (await with_roles(session, organization_id, [found]))[0]


async def with_roles(
    session: DatabaseSession, organization_id: OrganizationId, members: Sequence[MemberFacts]
) -> list[MemberFacts]:
    """Return the members with the roles that they hold themselves."""
    held = await roles_held(session, organization_id, [member.user_id for member in members])
    return [replace(member, roles=held[member.user_id]) for member in members]


def in_order(members: Sequence[MemberFacts], user_ids: Sequence[UUID]) -> list[MemberFacts]:
    """Return the members in the order of the ids."""
    known = {member.user_id: member for member in members}
    return [known[_user(user_id)] for user_id in user_ids if user_id in known]


def _user(user_id: UUID) -> UserId:
    return UserId(PrincipalId(user_id))
