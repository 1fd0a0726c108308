"""Invitations as the organization makes them: sent, sent again, withdrawn.

Inviting tells nothing about whether the address has an account: the answer, the mail and the work are the same. Whoever
sent the mail last answers for it, now and when somebody accepts (`invitation_answers`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from portico.access.services import TenantGrants
from portico.access.services.bounds import require_covered
from portico.audit.services import record
from portico.coordination.counters import Counters, parse_windows
from portico.core.ids import OrganizationId, PrincipalId, UserId, new_id
from portico.http.authentication import Principal
from portico.http.pagination import Cursors, Page
from portico.mail.services import Mailer
from portico.mail.templates import greeted_name
from portico.organizations.errors import (
    AlreadyInvited,
    AlreadyMember,
    InvitationOver,
    InvitationsLimited,
    TooManyInvitations,
)
from portico.organizations.events import InvitationRevoked, OrganizationInvited
from portico.organizations.models import Invitation, Organization
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.repositories.invitations import InvitationRepository
from portico.organizations.schemas.invitations import InvitationListQuery
from portico.organizations.services.acts import Acts
from portico.organizations.services.invited_teams import InvitedTeams
from portico.organizations.services.offers import SECRETS, facts_of, inviter_of
from portico.organizations.settings import OrganizationsSettings
from portico.organizations.types import InvitationFacts, InvitationStatus
from portico.users.addresses import Address, parse_address
from portico.users.services import Users
from portico.users.settings import UsersSettings

SUBJECT = "invitation"
LIMITER_KEY = "organizations.invitation-limits"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInvitation:
    """Who is to join, and as what."""

    email: Address
    roles: Collection[str]
    teams: Collection[UUID] = ()


class Invitations(Acts):
    """Lists, sends and withdraws invitations."""

    async def list_invitations(
        self, organization_id: OrganizationId, query: InvitationListQuery
    ) -> Page[InvitationFacts]:
        """Return one page.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        now = self._runtime.clock.now()
        async with self._runtime.reads() as session:
            found = await InvitationRepository(session).list_invitations(
                organization_id, query, Cursors.of(self._runtime), now
            )
        return found.to_page(lambda row: facts_of(row, now))

    async def get_invitation(self, organization_id: OrganizationId, invitation_id: UUID) -> InvitationFacts:
        """Return an invitation.

        Raises:
            InvitationNotFound: the organization has none such (404).
        """
        async with self._runtime.reads() as session:
            row = await InvitationRepository(session).get_invitation(organization_id, invitation_id)
        return facts_of(row, self._runtime.clock.now())

    async def invite(
        self, organization_id: OrganizationId, new: NewInvitation, *, actor: Principal
    ) -> InvitationFacts:
        """Mail an invitation to an address, whether or not somebody has an account there.

        Raises:
            OrganizationNotFound, RoleNotFound, TeamNotFound (404).
            AlreadyInvited, AlreadyMember, TooManyInvitations (409).
            RightsNotHeld: a role or a team holds what the actor lacks, or he does not manage teams (403).
            InvitationsLimited: too many mails, of the organization, of the actor or to this address (429).
        """
        await self._count_mail(organization_id, new.email, actor)
        now = self._runtime.clock.now()
        secret = SECRETS.make(self._runtime.entropy)
        row = Invitation(
            id=new_id(),
            organization_id=organization_id,
            email=new.email.typed,
            address=new.email.normal_form,
            roles=sorted(set(new.roles)),
            teams=sorted({str(team_id) for team_id in new.teams}),
            secret_hash=SECRETS.hash_of(secret),
            invited_by=actor.id,
            created_at=now,
            sent_at=now,
            sends=1,
            expires_at=now + self._settings.invitation_ttl,
        )
        async with self._unit:
            organization = await self._inviting(organization_id, row.roles, new.teams, actor)
            await InvitedTeams(self._runtime, self._unit).require_known(organization_id, new.teams)
            await self._check_room(organization_id, new.email)
            invitations = InvitationRepository(self._unit.session)
            invitations.add(row)
            await invitations.flush()
            await self._send(row, secret, organization, actor, "invitation.created")
        return facts_of(row, now)

    async def resend(
        self, organization_id: OrganizationId, invitation_id: UUID, *, actor: Principal
    ) -> InvitationFacts:
        """Mail an invitation again under a new secret and with all its time; the link of the earlier mail is dead.

        Whoever sends it again answers for it from now on. Teams that were deleted are no longer part of it.

        Raises:
            OrganizationNotFound, InvitationNotFound, RoleNotFound (404), RightsNotHeld (403), InvitationOver (410).
            InvitationsLimited: too many mails (429).
        """
        known = await self.get_invitation(organization_id, invitation_id)
        await self._count_mail(organization_id, parse_address(known.email), actor)
        now = self._runtime.clock.now()
        secret = SECRETS.make(self._runtime.entropy)
        async with self._unit:
            organization = await self._inviting(organization_id, known.roles, known.teams, actor)
            row = await self._unanswered(organization_id, invitation_id)
            living = await InvitedTeams(self._runtime, self._unit).living(organization_id, known.teams)
            row.teams = sorted(str(team.id) for team in living)
            row.secret_hash, row.invited_by = SECRETS.hash_of(secret), actor.id
            row.sent_at, row.sends = now, row.sends + 1
            row.expires_at = now + self._settings.invitation_ttl
            await InvitationRepository(self._unit.session).flush()
            await self._send(row, secret, organization, actor, "invitation.resent")
        return facts_of(row, now)

    async def revoke(self, organization_id: OrganizationId, invitation_id: UUID, *, actor: Principal) -> None:
        """Withdraw an invitation that nobody has answered.

        Raises:
            OrganizationNotFound, InvitationNotFound (404), RightsNotHeld (403), InvitationOver (410).
        """
        now = self._runtime.clock.now()
        async with self._unit:
            await self._locked(organization_id, actor=actor, permission=OrganizationPermission.MEMBER_INVITE)
            row = await self._unanswered(organization_id, invitation_id)
            row.revoked_at = now
            self._note("invitation.revoked", row, actor)
            event = InvitationRevoked(at=now, organization_id=organization_id, invitation_id=row.id)
            await self._emit(event)

    @property
    def _settings(self) -> OrganizationsSettings:
        return self._runtime.section(OrganizationsSettings)

    async def _inviting(
        self,
        organization_id: OrganizationId,
        roles: Collection[str],
        teams: Collection[UUID],
        actor: Principal,
    ) -> Organization:
        organization = await self._locked(
            organization_id, actor=actor, permission=OrganizationPermission.MEMBER_INVITE
        )
        grants = TenantGrants(self._runtime, self._unit)
        await grants.require_grantable(organization_id, roles, actor=actor)
        wanted = await InvitedTeams(self._runtime, self._unit).permissions_of(organization_id, teams)
        await require_covered(self._runtime, self._unit, actor, organization_id, wanted)
        return organization

    async def _check_room(self, organization_id: OrganizationId, email: Address) -> None:
        """Refuse who is in or invited already; an invitation that has expired makes room."""
        invitations, now = InvitationRepository(self._unit.session), self._runtime.clock.now()
        if await invitations.exists_member_with(organization_id, email.normal_form):
            raise AlreadyMember
        earlier = await invitations.find_unanswered(organization_id, email.normal_form)
        if earlier is not None and earlier.expires_at > now:
            raise AlreadyInvited
        if earlier is not None:
            await invitations.remove(earlier)
            await invitations.flush()
        if await invitations.count_open(organization_id, now) >= self._settings.open_invitations:
            raise TooManyInvitations

    async def _unanswered(self, organization_id: OrganizationId, invitation_id: UUID) -> Invitation:
        row = await InvitationRepository(self._unit.session).get_invitation(
            organization_id, invitation_id, lock=True
        )
        if facts_of(row, row.sent_at).status is not InvitationStatus.OPEN:
            raise InvitationOver
        return row

    async def _count_mail(self, organization_id: OrganizationId, email: Address, actor: Principal) -> None:
        """Count one mail for the organization, for who invites, and for who gets it (SECURITY_BAR T7)."""
        address = self._runtime.secret.mac(LIMITER_KEY, email.normal_form.encode()).hex()[:32]
        for key, limits in (
            (f"invite-to:{address}", self._settings.invitation_mails_to_one),
            (f"invite-by:{actor.actor_id or actor.id}", self._settings.invitation_mails),
            (f"invite-of:{organization_id}", self._settings.invitation_mails),
        ):
            verdict = await self._runtime.get(Counters).hit(key, parse_windows(limits))
            if not verdict.allowed:
                raise InvitationsLimited(retry_after=int(verdict.retry_after) + 1)

    async def _send(
        self, row: Invitation, secret: str, organization: Organization, actor: Principal, action: str
    ) -> None:
        inviter = await inviter_of(self._unit.session, actor.id)
        self._runtime.get(Mailer).enqueue(
            self._unit,
            template="invitation",
            to=parse_address(row.email).deliverable,
            locale=await self._language(row, actor),
            context={
                "url": f"{self._runtime.settings.public_url}/invitations?token={secret}",
                "organization": greeted_name(organization.name) or organization.slug,
                "inviter": greeted_name(inviter.name) if inviter else None,
                "inviter_email": inviter.email if inviter else None,
                "expires_at": row.expires_at,
            },
        )
        self._note(action, row, actor, personal={"email": row.email})
        event = OrganizationInvited(
            at=row.sent_at,
            organization_id=OrganizationId(row.organization_id),
            invitation_id=row.id,
            invited_by=actor.id,
        )
        await self._emit(event)

    async def _language(self, row: Invitation, actor: Principal) -> str:
        """Return the guest's own language where he has an account, else that of who invites; asked for both alike."""
        users = Users(self._runtime, self._unit)
        guest = await users.find_by_email(parse_address(row.email))
        host = await users.find_user(UserId(PrincipalId(actor.id)))
        speaker = guest if guest is not None and guest.email_verified else host
        return speaker.locale if speaker else self._runtime.section(UsersSettings).locales[0]

    def _note(
        self,
        action: str,
        row: Invitation,
        actor: Principal,
        *,
        personal: dict[str, Any] | None = None,
    ) -> None:
        record(
            self._runtime,
            self._unit,
            action,
            actor=actor,
            subject=(SUBJECT, row.id),
            organization_id=row.organization_id,
            details={"roles": list(row.roles), **({"teams": list(row.teams)} if row.teams else {})},
            personal=personal,
        )
