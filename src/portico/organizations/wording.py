"""What permissions mean, in plain words: for the pages, and for whoever makes a role by the API."""

from portico.organizations.permissions import OrganizationPermission
from portico.web.translations import mark

PLAIN_WORDS = {
    OrganizationPermission.READ: mark("See the organization"),
    OrganizationPermission.UPDATE: mark("Change name and short name"),
    OrganizationPermission.DELETE: mark("Delete the organization"),
    OrganizationPermission.TRANSFER_OWNERSHIP: mark("Hand the ownership over"),
    OrganizationPermission.MEMBER_READ: mark("See the members"),
    OrganizationPermission.MEMBER_INVITE: mark("Invite people"),
    OrganizationPermission.MEMBER_UPDATE: mark("Change the roles of members"),
    OrganizationPermission.MEMBER_REMOVE: mark("Remove members"),
    OrganizationPermission.ROLE_READ: mark("See the roles"),
    OrganizationPermission.ROLE_MANAGE: mark("Make and change roles"),
    OrganizationPermission.TEAM_READ: mark("See the teams"),
    OrganizationPermission.TEAM_MANAGE: mark("Make and change teams"),
    OrganizationPermission.SETTINGS_READ: mark("See the rules of signing in"),
    OrganizationPermission.SETTINGS_UPDATE: mark("Change the rules of signing in"),
    OrganizationPermission.DOMAIN_READ: mark("See the domains"),
    OrganizationPermission.DOMAIN_MANAGE: mark("Add and verify domains"),
    OrganizationPermission.AUDIT_READ: mark("Read the trail"),
    OrganizationPermission.API_KEY_READ: mark("See the API keys"),
    OrganizationPermission.API_KEY_MANAGE: mark("Make and revoke API keys"),
    OrganizationPermission.ALERT_READ: mark("See the alerts"),
}

TITLES = (mark("Owner"), mark("Administrator"), mark("Member"), mark("Viewer"))
"""What `portico.access` calls the roles that every organization has."""


def plain_words(permission: str) -> str:
    """Return a marked text; for a permission of a team's own its name, made readable: `Document: delete`."""
    try:
        known = PLAIN_WORDS.get(OrganizationPermission(permission))
    except ValueError:
        known = None
    if known is not None:
        return known
    scope, thing, act = permission.split(":", 2)
    words = thing if thing == scope else f"{scope} {thing}"
    return f"{words}: {act}".replace("_", " ").capitalize()
