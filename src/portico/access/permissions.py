"""Rights over grants and over the deployment itself."""

from portico.core.permissions import Permission


class PlatformPermission(Permission):
    """What an administrator of the deployment may do besides what features declare."""

    ROLE_READ = "platform:role:read"
    ROLE_ASSIGN = "platform:role:assign"
