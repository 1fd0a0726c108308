"""What permissions mean, in plain words: for the pages, and for whoever makes a role by the API."""

from collections.abc import Mapping
from typing import Final

from portico.organizations.permissions import OrganizationPermission
from portico.web.translations import mark

PLAIN_WORDS: Final[Mapping[str, str]] = {
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
    "organization:service_account:read": mark("See the service accounts"),
    "organization:service_account:manage": mark("Make and change service accounts"),
    "oauth:client:read": mark("See the applications"),
    "oauth:client:manage": mark("Register applications, let them in and keep them out"),
    "alert:alert:read": mark("See the alerts"),
    "alert:alert:handle": mark("Handle alerts"),
}
"""In the order in which they are shown; those of the floors above by their text."""

TITLES = (mark("Owner"), mark("Administrator"), mark("Member"), mark("Viewer"))
"""What `portico.access` calls the roles that every organization has."""


ACTS: Final[Mapping[str, str]] = {
    "organization.created": mark("Organization made"),
    "organization.updated": mark("Organization renamed"),
    "organization.settings_changed": mark("Rules of signing in changed"),
    "organization.disabled": mark("Organization switched off"),
    "organization.enabled": mark("Organization switched on"),
    "organization.deleted": mark("Organization deleted"),
    "organization.restored": mark("Organization restored"),
    "organization.member_joined": mark("Member joined"),
    "organization.member_left": mark("Member left"),
    "organization.roles_changed": mark("Roles changed"),
    "organization.ownership_transferred": mark("Ownership handed over"),
    "organization.left_without_owner": mark("Nobody left who can act as owner"),
    "organization_role.created": mark("Role made"),
    "organization_role.updated": mark("Role changed"),
    "organization_role.deleted": mark("Role deleted"),
    "team.created": mark("Team made"),
    "team.updated": mark("Team changed"),
    "team.deleted": mark("Team deleted"),
    "team.member_added": mark("Added to a team"),
    "team.member_removed": mark("Taken out of a team"),
    "invitation.created": mark("Invitation sent"),
    "invitation.resent": mark("Invitation sent again"),
    "invitation.revoked": mark("Invitation withdrawn"),
    "invitation.accepted": mark("Invitation accepted"),
    "invitation.declined": mark("Invitation declined"),
    "invitation.refused": mark("Void invitation refused"),
    "domain.added": mark("Domain added"),
    "domain.verified": mark("Domain verified"),
    "domain.verification_refused": mark("Record of a domain not found"),
    "domain.unverified": mark("Domain lost its proof"),
    "domain.updated": mark("Domain changed"),
    "domain.removed": mark("Domain removed"),
    "organization.joining_refused": mark("Joining by a domain refused"),
    "session.organization_switched": mark("Began to work here"),
    "api_key.created": mark("API key made"),
    "api_key.updated": mark("API key changed"),
    "api_key.rotated": mark("API key replaced"),
    "api_key.revoked": mark("API key revoked"),
    "api_key.expired": mark("API key expired"),
    "api_key.refused": mark("API key refused"),
    "service_account.created": mark("Service account made"),
    "service_account.updated": mark("Service account changed"),
    "service_account.disabled": mark("Service account switched off"),
    "service_account.enabled": mark("Service account switched on"),
    "service_account.deleted": mark("Service account deleted"),
    "oauth.consent.given": mark("Application allowed"),
    "oauth.consent.denied": mark("Application not allowed"),
    "oauth.grant.given": mark("Application connected"),
    "oauth.grant.ended": mark("Application disconnected"),
    "oauth.client_policy.changed": mark("Rule for applications changed"),
    "oauth.client_rule.requested": mark("Application asked for"),
    "oauth.client_rule.decided": mark("Application let in or kept out"),
    "oauth.client.registered": mark("Application registered"),
    "oauth.client.changed": mark("Application changed"),
    "oauth.client.secret_rotated": mark("Secret of an application renewed"),
    "oauth.client.secret_removed": mark("Secret of an application removed"),
    "oauth.client.disabled": mark("Application switched off"),
    "oauth.client.enabled": mark("Application switched on"),
    "oauth.client.deleted": mark("Application deleted"),
    "alert.acknowledged": mark("Alert seen"),
    "alert.resolved": mark("Alert settled"),
    "permission.refused": mark("Something was refused"),
    "role.refused": mark("Rights were refused"),
}
"""Acts on the trail, in plain words; others are shown by their names."""


def place_of(permission: str) -> tuple[int, str]:
    """Return by what permissions are sorted where people choose of them."""
    known = list(PLAIN_WORDS)
    return (known.index(permission) if permission in known else len(known), permission)


def plain_words(permission: str) -> str:
    """Return a marked text; for a permission of a team's own its name, made readable: `Document: delete`."""
    if permission in PLAIN_WORDS:
        return PLAIN_WORDS[permission]
    scope, thing, act = permission.split(":", 2)
    words = thing if thing == scope else f"{scope} {thing}"
    return f"{words}: {act}".replace("_", " ").capitalize()
