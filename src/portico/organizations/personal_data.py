"""What this feature holds of a person, for export and erasure."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portico.access.services import roles_held
from portico.core.ids import OrganizationId, UserId
from portico.db.unit import Unit
from portico.feature import PersonalData
from portico.organizations.repositories import MembershipRepository
from portico.organizations.repositories.invitations import InvitationRepository
from portico.organizations.services import AccountClosing
from portico.runtime import Runtime


async def export_memberships(user_id: UserId, session: AsyncSession) -> list[dict[str, Any]]:
    """Return the organizations of a person, and as what he belongs to them."""
    return [
        {
            "organization_id": str(row.organization_id),
            "name": row.name,
            "slug": row.slug,
            "roles": list(
                (await roles_held(session, OrganizationId(row.organization_id), [user_id]))[user_id]
            ),
            "how": row.how.value,
            "joined_at": row.joined_at.isoformat(),
        }
        for row in await MembershipRepository(session).list_of_person(user_id)
    ]


async def erase_memberships(user_id: UserId, unit: Unit, runtime: Runtime) -> None:
    """End what is left: memberships in deleted organizations, and organizations that were his alone."""
    await AccountClosing(runtime, unit).erase(user_id)


async def export_invitations(user_id: UserId, session: AsyncSession) -> list[dict[str, Any]]:
    """Return the invitations to a person's proven addresses."""
    return [
        {
            "organization": name,
            "email": row.email,
            "roles": list(row.roles),
            "teams": list(row.teams or ()),
            "sent_at": row.sent_at.isoformat(),
            "expires_at": row.expires_at.isoformat(),
            "accepted_at": row.accepted_at.isoformat() if row.accepted_at else None,
        }
        for row, name in await InvitationRepository(session).list_of_person(user_id)
    ]


async def erase_invitations(user_id: UserId, unit: Unit, _runtime: Runtime) -> None:
    """Delete the invitations that a person accepted; those to his addresses went when he closed his account."""
    await InvitationRepository(unit.session).erase_of_person(user_id)


MEMBERSHIPS_PERSONAL_DATA = (
    PersonalData(section="organizations", export=export_memberships, erase=erase_memberships),
    PersonalData(section="invitations", export=export_invitations, erase=erase_invitations),
)
