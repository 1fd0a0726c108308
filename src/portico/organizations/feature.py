"""What organizations contribute to the application."""

from typing import Any

from portico.access.types import OrganizationRole, PlatformRole
from portico.core.permissions import Reach
from portico.feature import Feature
from portico.messaging import on
from portico.organizations.jobs import SCHEDULES, erase_organization
from portico.organizations.pages import routers as page_routers
from portico.organizations.permissions import (
    OWNERS_ONLY,
    READERS,
    SEEN_BY_PLATFORM,
    OrganizationPermission,
)
from portico.organizations.personal_data import MEMBERSHIPS_PERSONAL_DATA
from portico.organizations.routes import router
from portico.organizations.settings import OrganizationsSettings
from portico.organizations.subscribers import (
    OrganizationObligations,
    leave_organizations,
    note_ownerless_organizations,
)
from portico.users.events import UserDeactivated, UserDeleted
from portico.users.ports import Obligations


def register_commands(app: Any) -> None:
    """Add `portico organizations`; typer is imported only where there is a command line."""
    from portico.organizations.commands import register_commands as register

    register(app)


def organizations_feature() -> Feature:
    """Return the declaration."""
    in_organizations = {each for each in OrganizationPermission if each.reach is Reach.ORGANIZATION}
    return Feature(
        name="organizations",
        settings=OrganizationsSettings,
        permissions=OrganizationPermission,
        roles={
            OrganizationRole.ADMIN: in_organizations - OWNERS_ONLY,
            OrganizationRole.MEMBER: READERS,
            OrganizationRole.VIEWER: READERS,
            PlatformRole.SUPPORT: SEEN_BY_PLATFORM,
            PlatformRole.AUDITOR: SEEN_BY_PLATFORM,
        },
        routers=[router],
        pages=page_routers,
        subscribers=[
            on(UserDeleted, leave_organizations),
            on(UserDeactivated, note_ownerless_organizations),
        ],
        jobs=[erase_organization],
        schedules=SCHEDULES,
        ports={Obligations: OrganizationObligations},
        personal_data=MEMBERSHIPS_PERSONAL_DATA,
        commands=register_commands,
        templates="portico.organizations",
    )
