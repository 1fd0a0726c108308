"""Invitations as their guests answer them: seen, accepted, declined.

An invitation is good for who owns the address that it was mailed to, once, as long as whoever sent it may still give
what it offers. The tenant is locked first, then the person, then the invitation: of fifty who accept, one does.
"""

from uuid import UUID

from portico.access.services import RightsReader, TenantGrants, TenantRoles, Tenants, acting_for
from portico.access.services.authorizing import judge_standing
from portico.access.services.bounds import covers
from portico.audit.services import record
from portico.audit.types import Outcome
from portico.core import failpoints
from portico.core.ids import OrganizationId, PrincipalId, UserId
from portico.credentials.errors import InvitationInvalid
from portico.http.access import NotPermitted
from portico.http.authentication import Principal
from portico.http.policies import Verdict
from portico.organizations.errors import (
    AddressUnproven,
    AlreadyMember,
    InvitationElsewhere,
    InvitationNotFound,
    InvitationOver,
    InvitationVoid,
)
from portico.organizations.events import InvitationAccepted, InvitationDeclined
from portico.organizations.models import Invitation, Organization
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.repositories import MembershipRepository, OrganizationRepository, TeamRepository
from portico.organizations.repositories.invitations import InvitationRepository
from portico.organizations.services.acts import Acts
from portico.organizations.services.invitations import SUBJECT
from portico.organizations.services.invited_teams import InvitedTeams
from portico.organizations.services.members import Members
from portico.organizations.services.offers import Inviter, facts_of, hash_of, inviter_of, teams_of
from portico.organizations.types import InvitationStatus, Joined, OfferedMembership
from portico.sessions.services import ActiveOrganizations
from portico.users.services import Users
from portico.users.types import Account


class InvitationAnswers(Acts):
    """What somebody does with the invitations that he got."""

    async def list_offers(self, user_id: UserId) -> list[OfferedMembership]:
        """Return the open invitations to the proven address of a person; none where it is unproven."""
        now = self._runtime.clock.now()
        account = await Users(self._runtime, self._unit).find_user(user_id)
        if account is None or not account.email_verified:
            return []
        async with self._runtime.reads() as session:
            found = await InvitationRepository(session).list_offers(account.email_normal_form, now)
            inviters = [await inviter_of(session, row.invited_by) for row, _ in found]
        return [
            await self._offer(row, organization, inviter)
            for (row, organization), inviter in zip(found, inviters, strict=True)
        ]

    async def peek(self, token: str) -> OfferedMembership:
        """Return what the secret of a mail offers, and change nothing.

        Raises:
            InvitationInvalid: none that we know (400).
            OrganizationNotFound (404), InvitationVoid: switched off (409), InvitationOver (410).
        """
        hashed = hash_of(token)
        async with self._runtime.reads() as session:
            row = await InvitationRepository(session).find_by_secret(hashed) if hashed else None
            if row is None:
                raise InvitationInvalid
            organization = await OrganizationRepository(session).get_living(row.organization_id)
            inviter = await inviter_of(session, row.invited_by)
        self._check_open(row, organization)
        return await self._offer(row, organization, inviter)

    async def accept_by_token(
        self, token: str, *, principal: Principal, enters: bool = False
    ) -> OrganizationId:
        """Make the caller a member by the secret of a mail, and return of which organization.

        If he `enters`, his session works there from now on, as far as the organization lets him in who signed in so.

        Raises:
            InvitationInvalid: none that we know (400).
            InvitationElsewhere, AddressUnproven: not the caller's proven address (403).
            OrganizationNotFound (404), InvitationVoid, AlreadyMember (409), InvitationOver (410).
        """
        known = await self._find_by_token(token)
        async with self._unit:
            organization, row, account = await self._locked_for(known, principal)
            if row.secret_hash != hash_of(token):  # sent again since
                raise InvitationInvalid
            self._check_guest(row, account)
            return await self._accept(organization, row, account, principal, enters=enters)

    async def accept(
        self, invitation_id: UUID, *, principal: Principal, enters: bool = False
    ) -> OrganizationId:
        """Make the caller a member, whose proven address the invitation is for; `enters` as above.

        Raises:
            InvitationNotFound: none, or for somebody else (404).
            OrganizationNotFound (404), InvitationVoid, AlreadyMember (409), InvitationOver (410).
        """
        known = await self._find_own(invitation_id, principal)
        async with self._unit:
            organization, row, account = await self._locked_for(known, principal)
            if not _is_for(row, account):
                raise InvitationNotFound
            return await self._accept(organization, row, account, principal, enters=enters)

    async def decline_by_token(self, token: str, *, principal: Principal) -> None:
        """Answer no.

        Raises:
            as `accept_by_token`.
        """
        known = await self._find_by_token(token)
        async with self._unit:
            _, row, account = await self._locked_for(known, principal)
            if row.secret_hash != hash_of(token):
                raise InvitationInvalid
            self._check_guest(row, account)
            await self._decline(row, principal)

    async def decline(self, invitation_id: UUID, *, principal: Principal) -> None:
        """Answer no.

        Raises:
            InvitationNotFound (404), InvitationOver (410).
        """
        known = await self._find_own(invitation_id, principal)
        async with self._unit:
            _, row, account = await self._locked_for(known, principal)
            if not _is_for(row, account):
                raise InvitationNotFound
            await self._decline(row, principal)

    async def lock_offer(self, known: Invitation) -> Invitation:
        """Return the invitation, open, of a living organization, still given; nothing of it changes until the commit.

        In the open unit; the person is not locked yet.

        Raises:
            OrganizationNotFound, InvitationNotFound (404), InvitationVoid (409), InvitationOver (410).
        """
        organization, row = await self._lock_rows(known)
        self._check_open(row, organization)
        if not await self._is_still_given(row):
            raise InvitationVoid
        return row

    async def complete(self, row: Invitation, account: Account, *, actor: Principal | None = None) -> None:
        """Make a person a member by an invitation that `lock_offer` returned, in the open unit.

        Raises:
            AlreadyMember: he belongs to the organization already (409).
        """
        now = self._runtime.clock.now()
        organization_id = OrganizationId(row.organization_id)
        row.accepted_at, row.accepted_by = now, account.id
        await self._unit.session.flush()
        if failpoints.armed:
            await failpoints.reach("organizations.accept.after_write")
        await Members(self._runtime, self._unit).add_member(
            organization_id,
            account.id,
            row.roles,
            how=Joined.INVITED,
            actor=actor,
            invited_by=row.invited_by,
            is_measured=False,
        )
        await InvitedTeams(self._runtime, self._unit).put_in(
            organization_id, teams_of(row), account.id, actor=actor or account.id
        )
        self._note("invitation.accepted", row, actor or account.id)
        event = InvitationAccepted(
            at=now, organization_id=organization_id, invitation_id=row.id, user_id=account.id
        )
        await self._emit(event)

    async def _accept(
        self,
        organization: Organization,
        row: Invitation,
        account: Account,
        principal: Principal,
        *,
        enters: bool,
    ) -> OrganizationId:
        organization_id = OrganizationId(row.organization_id)
        self._check_open(row, organization)
        if await MembershipRepository(self._unit.session).exists_membership(organization_id, account.id):
            raise AlreadyMember
        if not await self._is_still_given(row):
            self._note("invitation.refused", row, principal, reason=InvitationVoid.code)
            raise InvitationVoid
        await self.complete(row, account, actor=principal)
        if enters:
            await self._enter(organization_id, principal)
        return organization_id

    async def _enter(self, organization_id: OrganizationId, principal: Principal) -> None:
        reader = self._runtime.get(RightsReader)
        rights = await reader.read(self._unit.session, principal.id, organization_id)
        now = self._runtime.clock.now
        if rights is not None and judge_standing(principal, rights, now) is Verdict.ALLOWED:
            await ActiveOrganizations(self._runtime, self._unit).switch(principal, organization_id)

    async def _decline(self, row: Invitation, principal: Principal) -> None:
        now = self._runtime.clock.now()
        if facts_of(row, now).status is not InvitationStatus.OPEN:
            raise InvitationOver
        row.declined_at = now
        self._note("invitation.declined", row, principal)
        event = InvitationDeclined(
            at=now, organization_id=OrganizationId(row.organization_id), invitation_id=row.id
        )
        await self._emit(event)

    async def _find_by_token(self, token: str) -> Invitation:
        hashed = hash_of(token)
        async with self._runtime.reads() as session:
            row = await InvitationRepository(session).find_by_secret(hashed) if hashed else None
        if row is None:
            raise InvitationInvalid
        return row

    async def _find_own(self, invitation_id: UUID, principal: Principal) -> Invitation:
        account = await Users(self._runtime, self._unit).find_user(UserId(principal.id))
        async with self._runtime.reads() as session:
            row = await InvitationRepository(session).find(invitation_id)
        if row is None or not _is_for(row, account):
            raise InvitationNotFound
        return row

    async def _locked_for(
        self, known: Invitation, principal: Principal
    ) -> tuple[Organization, Invitation, Account]:
        await Tenants(self._runtime, self._unit).lock(OrganizationId(known.organization_id))
        account = await Users(self._runtime, self._unit).get_user(UserId(principal.id))
        return *await self._lock_rows(known), account

    async def _lock_rows(self, known: Invitation) -> tuple[Organization, Invitation]:
        organization = await self._locked(OrganizationId(known.organization_id))
        row = await InvitationRepository(self._unit.session).get_invitation(
            known.organization_id, known.id, lock=True
        )
        return organization, row

    def _check_open(self, row: Invitation, organization: Organization) -> None:
        if facts_of(row, self._runtime.clock.now()).status is not InvitationStatus.OPEN:
            raise InvitationOver
        if organization.disabled_at is not None:
            raise InvitationVoid

    @staticmethod
    def _check_guest(row: Invitation, account: Account) -> None:
        if account.email_normal_form != row.address:
            raise InvitationElsewhere
        if not account.email_verified:
            raise AddressUnproven

    async def _is_still_given(self, row: Invitation) -> bool:
        """Tell whether who sent the invitation may still invite, and give each of its roles, which all exist.

        A team that was deleted meanwhile is passed over; what the others hold now, he must be able to give.
        """
        organization_id = OrganizationId(row.organization_id)
        roles = await TenantRoles(self._runtime, self._unit).list_roles(organization_id)
        known = {role.name if role.is_system else str(role.id) for role in roles}
        if row.invited_by is None or not known.issuperset(row.roles):
            return False
        try:
            inviter = await acting_for(self._runtime, PrincipalId(row.invited_by), organization_id)
        except NotPermitted:  # switched off, or gone
            return False
        given = await TenantGrants(self._runtime, self._unit).permissions_of(organization_id, row.roles)
        by_teams = await InvitedTeams(self._runtime, self._unit).permissions_of(
            organization_id, teams_of(row)
        )
        wanted = given | by_teams | {OrganizationPermission.MEMBER_INVITE.value}
        return await covers(self._runtime, self._unit, inviter, organization_id, wanted)

    async def _offer(
        self, row: Invitation, organization: Organization, inviter: Inviter | None
    ) -> OfferedMembership:
        organization_id = OrganizationId(organization.id)
        roles = await TenantRoles(self._runtime, self._unit).list_roles(organization_id)
        titles = {role.name if role.is_system else str(role.id): role.title for role in roles}
        return OfferedMembership(
            invitation=facts_of(row, self._runtime.clock.now()),
            organization_name=organization.name,
            organization_slug=organization.slug,
            inviter=inviter.shown if inviter else None,
            role_titles=tuple(titles[role] for role in row.roles if role in titles),
            team_names=await self._team_names(row),
        )

    async def _team_names(self, row: Invitation) -> tuple[str, ...]:
        async with self._runtime.reads() as session:
            teams = await TeamRepository(session).list_some(row.organization_id, teams_of(row))
        return tuple(team.name for team in teams)

    def _note(
        self, action: str, row: Invitation, actor: Principal | UUID, *, reason: str | None = None
    ) -> None:
        record(
            self._runtime,
            self._unit,
            action,
            outcome=Outcome.REFUSED if reason else Outcome.SUCCESS,
            actor=actor,
            subject=(SUBJECT, row.id),
            organization_id=row.organization_id,
            reason=reason,
        )


def _is_for(row: Invitation, account: Account | None) -> bool:
    return account is not None and account.email_verified and account.email_normal_form == row.address
