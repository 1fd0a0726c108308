"""What an invitation is, whoever looks at it: its secret, how it stands, who made it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from portico.core.ids import OrganizationId
from portico.db.unit import DatabaseSession
from portico.organizations.models import Invitation
from portico.organizations.repositories.people import PersonRepository
from portico.organizations.types import InvitationFacts, InvitationStatus
from portico.tokens.secret_format import NotASecret, SecretFormat

SECRETS: Final = SecretFormat("poi_")
"""How the secrets of invitations are written: `poi_`, 256 random bits, a checksum for scanners."""


@dataclass(frozen=True, slots=True)
class Inviter:
    """A person who invites: what he calls himself, and his address."""

    name: str | None
    email: str

    @property
    def shown(self) -> str:
        """Return how a page names him: by both, for a name can be anything."""
        return f"{self.name} ({self.email})" if self.name else self.email


async def inviter_of(session: DatabaseSession, principal_id: UUID | None) -> Inviter | None:
    """Return who invites; None where it is no living person: an organization's key, a service account."""
    found = await PersonRepository(session).find_names(principal_id) if principal_id else None
    return None if found is None else Inviter(found.full_name or found.username, found.email)


def hash_of(token: str) -> bytes | None:
    """Return under what a secret is stored, or None where it is none of an invitation."""
    try:
        return SECRETS.hash_of(token)
    except NotASecret:
        return None


def teams_of(row: Invitation) -> tuple[UUID, ...]:
    """Return into which teams whoever accepts is put."""
    return tuple(UUID(team_id) for team_id in row.teams or ())


def facts_of(row: Invitation, now: datetime) -> InvitationFacts:
    """Return an invitation as a value, as it stands at `now`."""
    return InvitationFacts(
        id=row.id,
        organization_id=OrganizationId(row.organization_id),
        email=row.email,
        address=row.address,
        roles=tuple(row.roles),
        teams=teams_of(row),
        invited_by=row.invited_by,
        created_at=row.created_at,
        sent_at=row.sent_at,
        sends=row.sends,
        expires_at=row.expires_at,
        status=_status(row, now),
        accepted_by=row.accepted_by,
    )


def _status(row: Invitation, now: datetime) -> InvitationStatus:
    if row.accepted_at is not None:
        return InvitationStatus.ACCEPTED
    if row.declined_at is not None:
        return InvitationStatus.DECLINED
    if row.revoked_at is not None:
        return InvitationStatus.REVOKED
    return InvitationStatus.OPEN if row.expires_at > now else InvitationStatus.EXPIRED
