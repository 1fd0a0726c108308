"""Words of organizations, and the values that services hand around."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from portico.core.ids import OrganizationId, UserId


class Joined(StrEnum):
    """How somebody became a member."""

    CREATED = "created"
    INVITED = "invited"
    BY_DOMAIN = "by_domain"
    ADDED = "added"


class Creation(StrEnum):
    """Who may make organizations."""

    ANYONE = "anyone"
    ADMINISTRATORS = "administrators"


class OrganizationStatus(StrEnum):
    """How an organization stands, for lists of administrators."""

    ACTIVE = "active"
    DISABLED = "disabled"
    DELETED = "deleted"


class OrganizationSort(StrEnum):
    """What organizations may be sorted by."""

    CREATED_AT = "created_at"


class MemberSort(StrEnum):
    """What members may be sorted by."""

    JOINED_AT = "joined_at"


class TeamSort(StrEnum):
    """What teams may be sorted by."""

    SLUG = "slug"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationFacts:
    """An organization, as services hand it around."""

    id: OrganizationId
    name: str
    slug: str
    created_at: datetime
    updated_at: datetime
    disabled_at: datetime | None
    deleted_at: datetime | None
    version: int

    @property
    def status(self) -> OrganizationStatus:
        """Tell how it stands."""
        if self.deleted_at is not None:
            return OrganizationStatus.DELETED
        return OrganizationStatus.ACTIVE if self.disabled_at is None else OrganizationStatus.DISABLED


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMembership:
    """An organization to which the caller belongs, and as what."""

    organization: OrganizationFacts
    roles: tuple[str, ...]
    joined_at: datetime
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFacts:
    """A person in an organization. `roles` are his own; his teams' come on top."""

    user_id: UserId
    email: str
    username: str | None
    full_name: str | None
    is_active: bool
    how: Joined
    joined_at: datetime
    roles: tuple[str, ...] = ()

    @property
    def display_name(self) -> str:
        """Return what pages call the person."""
        return self.full_name or self.username or self.email


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamFacts:
    """A team. Whoever belongs to it holds its roles besides his own."""

    id: UUID
    name: str
    slug: str
    description: str
    created_at: datetime
    updated_at: datetime
    version: int
    members: int = 0
    roles: tuple[str, ...] = ()


class InvitationStatus(StrEnum):
    """What became of an invitation."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    REVOKED = "revoked"
    EXPIRED = "expired"


class InvitationSort(StrEnum):
    """What invitations may be sorted by."""

    CREATED_AT = "created_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationFacts:
    """An invitation, as services hand it around; its secret is known to nobody but who got the mail."""

    id: UUID
    organization_id: OrganizationId
    email: str
    address: str
    roles: tuple[str, ...]
    teams: tuple[UUID, ...]
    invited_by: UUID | None
    created_at: datetime
    sent_at: datetime
    sends: int
    expires_at: datetime
    status: InvitationStatus
    accepted_by: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedMembership:
    """An invitation as its guest sees it: where to, by whom, as what."""

    invitation: InvitationFacts
    organization_name: str
    organization_slug: str
    inviter: str | None
    """Who invites, by name; None where it is no person, or nobody any more."""
    role_titles: tuple[str, ...] = ()
    team_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainFacts:
    """A mail domain of an organization."""

    id: UUID
    organization_id: OrganizationId
    domain: str
    challenge: str
    verified_at: datetime | None
    checked_at: datetime | None
    failed_checks: int
    joins_automatically: bool
    role: str
    created_at: datetime
    version: int
