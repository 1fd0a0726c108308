"""Rights over organizations: each person's own, those held in an organization by role, and the platform's."""

from collections.abc import Set as AbstractSet

from portico.core.permissions import Permission


class OrganizationPermission(Permission):
    """What may be done with organizations."""

    LIST_OWN = "organization:self:list"
    CREATE_OWN = "organization:self:create"
    JOIN = "organization:self:join"
    LEAVE = "organization:self:leave"
    RESTORE_OWN = "organization:self:restore"
    SWITCH = "organization:self:switch"

    READ = "organization:organization:read"
    UPDATE = "organization:organization:update"
    DELETE = "organization:organization:delete"
    TRANSFER_OWNERSHIP = "organization:ownership:transfer"
    MEMBER_READ = "organization:member:read"
    MEMBER_INVITE = "organization:member:invite"
    MEMBER_UPDATE = "organization:member:update"
    MEMBER_REMOVE = "organization:member:remove"
    ROLE_READ = "organization:role:read"
    ROLE_MANAGE = "organization:role:manage"
    TEAM_READ = "organization:team:read"
    TEAM_MANAGE = "organization:team:manage"
    SETTINGS_READ = "organization:settings:read"
    SETTINGS_UPDATE = "organization:settings:update"
    DOMAIN_READ = "organization:domain:read"
    DOMAIN_MANAGE = "organization:domain:manage"
    AUDIT_READ = "organization:audit:read"
    API_KEY_READ = "organization:api_key:read"
    API_KEY_MANAGE = "organization:api_key:manage"

    PLATFORM_LIST = "platform:organization:list"
    PLATFORM_READ = "platform:organization:read"
    PLATFORM_CREATE = "platform:organization:create"
    PLATFORM_UPDATE = "platform:organization:update"
    PLATFORM_DISABLE = "platform:organization:disable"
    PLATFORM_DELETE = "platform:organization:delete"

    @classmethod
    def interactive(cls) -> AbstractSet[Permission]:
        """Return what is done by nobody else: giving it away, deleting it, making keys to it, joining and leaving."""
        return frozenset({cls.TRANSFER_OWNERSHIP, cls.DELETE, cls.JOIN, cls.LEAVE, cls.API_KEY_MANAGE})


OWNERS_ONLY = frozenset({OrganizationPermission.TRANSFER_OWNERSHIP, OrganizationPermission.DELETE})
"""What administrators of an organization do not hold."""

READERS = frozenset(
    {
        OrganizationPermission.READ,
        OrganizationPermission.MEMBER_READ,
        OrganizationPermission.ROLE_READ,
        OrganizationPermission.TEAM_READ,
    }
)
"""What every member holds."""

SEEN_BY_PLATFORM = frozenset({OrganizationPermission.PLATFORM_LIST, OrganizationPermission.PLATFORM_READ})
"""What support and auditors hold."""
