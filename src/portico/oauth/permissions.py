"""Rights over clients, grants and resources."""

from collections.abc import Set as AbstractSet

from portico.core.permissions import Permission


class OAuthPermission(Permission):
    """What may be done with the authorization server."""

    SELF_READ = "oauth:self:read"
    """See the applications that one has connected."""
    SELF_REVOKE = "oauth:self:revoke"
    """Disconnect them."""
    SELF_AUTHORIZE = "oauth:self:authorize"
    """Let an application act in one's name."""
    CLIENT_READ = "oauth:client:read"
    CLIENT_MANAGE = "oauth:client:manage"
    """An organization's own clients, and which others may work in it."""
    PLATFORM_READ = "platform:oauth_client:read"
    PLATFORM_MANAGE = "platform:oauth_client:manage"

    @classmethod
    def interactive(cls) -> AbstractSet[Permission]:
        """Return what only the person himself may do.

        Nobody connects or disconnects an application in another's name, and no application another one; neither a
        stolen key nor an impersonator makes a client whose secret outlives them.
        """
        return frozenset({cls.SELF_AUTHORIZE, cls.SELF_REVOKE, cls.CLIENT_MANAGE})
