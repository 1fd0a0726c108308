"""The use cases of organizations."""

from portico.organizations.services.acts import Acts, VersionCheck, no_check
from portico.organizations.services.closing import AccountClosing
from portico.organizations.services.lifecycle import OrganizationLifecycle
from portico.organizations.services.members import Members
from portico.organizations.services.organizations import NewOrganization, Organizations
from portico.organizations.services.roles import PermissionFacts, Roles
from portico.organizations.services.rules import METHODS, Settings, SignInSettings
from portico.organizations.services.switching import Switching
from portico.organizations.services.teams import Teams

__all__ = [
    "METHODS",
    "AccountClosing",
    "Acts",
    "Members",
    "NewOrganization",
    "OrganizationLifecycle",
    "Organizations",
    "PermissionFacts",
    "Roles",
    "Settings",
    "SignInSettings",
    "Switching",
    "Teams",
    "VersionCheck",
    "no_check",
]
