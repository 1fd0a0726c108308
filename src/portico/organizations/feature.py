"""What organizations contribute to the application."""

from typing import Any

from portico.access.types import OrganizationRole, PlatformRole
from portico.core.permissions import Reach
from portico.credentials.ports import Admission
from portico.feature import AccountSection, Feature
from portico.messaging import after, on
from portico.organizations.events import (
    DomainJoiningOpened,
    MemberLeft,
    OrganizationDeleted,
    OrganizationEnabled,
)
from portico.organizations.jobs import SCHEDULES, erase_organization, let_in_by_domain, recheck_domain
from portico.organizations.pages import routers as page_routers
from portico.organizations.permissions import (
    OWNERS_ONLY,
    READERS,
    SEEN_BY_PLATFORM,
    OrganizationPermission,
)
from portico.organizations.personal_data import MEMBERSHIPS_PERSONAL_DATA
from portico.organizations.resolving import DnsResolver, Resolver
from portico.organizations.routes import router
from portico.organizations.services.invitation_admission import InvitationAdmission
from portico.organizations.settings import OrganizationsSettings
from portico.organizations.subscribers import (
    OrganizationObligations,
    close_offers,
    forget_invitations,
    join_by_domain,
    keep_departure,
    leave_organizations,
    let_in_missed,
    let_in_outsiders,
    note_ownerless_organizations,
)
from portico.users.events import (
    UserActivated,
    UserDeactivated,
    UserDeleted,
    UserEmailChanged,
    UserEmailVerified,
)
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
        account_sections=[
            AccountSection(label="Organizations", path="/account/organizations", order=40, icon="building"),
        ],
        subscribers=[
            on(UserDeleted, leave_organizations),
            on(UserDeleted, forget_invitations),
            on(UserDeactivated, note_ownerless_organizations),
            on(MemberLeft, keep_departure),
            on(OrganizationDeleted, close_offers),
            after(UserEmailVerified, "organizations.join_by_domain", join_by_domain),
            after(UserEmailChanged, "organizations.join_by_new_domain", join_by_domain),
            after(UserActivated, "organizations.join_when_activated", join_by_domain),
            on(DomainJoiningOpened, let_in_outsiders),
            on(OrganizationEnabled, let_in_missed),
        ],
        jobs=[erase_organization, recheck_domain, let_in_by_domain],
        schedules=SCHEDULES,
        ports={
            Obligations: OrganizationObligations,
            Admission: InvitationAdmission,
            Resolver: DnsResolver.of,
        },
        personal_data=MEMBERSHIPS_PERSONAL_DATA,
        commands=register_commands,
        templates="portico.organizations",
    )
