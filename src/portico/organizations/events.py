"""What happens to organizations, their members and teams. Roles change in `portico.access.events`."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from portico.core.ids import OrganizationId, PrincipalId, UserId
from portico.messaging import Event
from portico.organizations.types import Joined


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationCreated(Event):
    """There is one more organization, with one owner."""

    name: ClassVar[str] = "organization.created"

    organization_id: OrganizationId
    owner_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationUpdated(Event):
    """Name, slug or settings changed, in these fields."""

    name: ClassVar[str] = "organization.updated"

    organization_id: OrganizationId
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationDisabled(Event):
    """An administrator switched the organization off: nobody and nothing acts in it."""

    name: ClassVar[str] = "organization.disabled"

    organization_id: OrganizationId


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationEnabled(Event):
    """An administrator switched the organization on again."""

    name: ClassVar[str] = "organization.enabled"

    organization_id: OrganizationId


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationDeleted(Event):
    """The organization is closed; until `erased_after` it can be restored."""

    name: ClassVar[str] = "organization.deleted"

    organization_id: OrganizationId
    erased_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationRestored(Event):
    """A deleted organization is open again."""

    name: ClassVar[str] = "organization.restored"

    organization_id: OrganizationId


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationErased(Event):
    """The rows of the organization go. Who keeps rows of his own under it deletes them in the same transaction."""

    name: ClassVar[str] = "organization.erased"

    organization_id: OrganizationId


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberJoined(Event):
    """A person belongs to the organization."""

    name: ClassVar[str] = "organization.member_joined"

    organization_id: OrganizationId
    user_id: UserId
    how: Joined


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLeft(Event):
    """A person belongs to the organization no longer: he left, was put out, or closed his account."""

    name: ClassVar[str] = "organization.member_left"

    organization_id: OrganizationId
    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnershipTransferred(Event):
    """Somebody else is the owner."""

    name: ClassVar[str] = "organization.ownership_transferred"

    organization_id: OrganizationId
    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamCreated(Event):
    """An organization has one more team."""

    name: ClassVar[str] = "team.created"

    organization_id: OrganizationId
    team_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamUpdated(Event):
    """A team has another name, slug or description."""

    name: ClassVar[str] = "team.updated"

    organization_id: OrganizationId
    team_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamDeleted(Event):
    """An organization has a team no longer."""

    name: ClassVar[str] = "team.deleted"

    organization_id: OrganizationId
    team_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamMemberAdded(Event):
    """A member belongs to a team."""

    name: ClassVar[str] = "team.member_added"

    organization_id: OrganizationId
    team_id: UUID
    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamMemberRemoved(Event):
    """A member belongs to a team no longer."""

    name: ClassVar[str] = "team.member_removed"

    organization_id: OrganizationId
    team_id: UUID
    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationInvited(Event):
    """A mail with an invitation went out, for the first time or again."""

    name: ClassVar[str] = "organization.invited"

    organization_id: OrganizationId
    invitation_id: UUID
    invited_by: PrincipalId


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationAccepted(Event):
    """Somebody joined by an invitation."""

    name: ClassVar[str] = "organization.invitation_accepted"

    organization_id: OrganizationId
    invitation_id: UUID
    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationDeclined(Event):
    """Whoever was invited does not want to join."""

    name: ClassVar[str] = "organization.invitation_declined"

    organization_id: OrganizationId
    invitation_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationRevoked(Event):
    """An invitation was withdrawn."""

    name: ClassVar[str] = "organization.invitation_revoked"

    organization_id: OrganizationId
    invitation_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainVerified(Event):
    """An organization has proven that a mail domain is its own."""

    name: ClassVar[str] = "organization.domain_verified"

    organization_id: OrganizationId
    domain_id: UUID
    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainUnverified(Event):
    """The proof is gone, or somebody else has proven the domain: nobody joins by it any more."""

    name: ClassVar[str] = "organization.domain_unverified"

    organization_id: OrganizationId
    domain_id: UUID
    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainJoiningOpened(Event):
    """From now on whoever proves an address of the domain joins by himself; who did so before is let in."""

    name: ClassVar[str] = "domain.joining_opened"

    organization_id: OrganizationId
    domain_id: UUID
    domain: str
