"""Rights over alerts: each person's own, those of an organization, and the platform's."""

from collections.abc import Set as AbstractSet

from portico.core.permissions import Permission


class AlertPermission(Permission):
    """Who may see alerts, and say that they are dealt with."""

    LIST_OWN = "alert:self:list"
    RESOLVE_OWN = "alert:self:resolve"
    READ = "alert:alert:read"
    HANDLE = "alert:alert:handle"
    PLATFORM_READ = "platform:alert:read"
    PLATFORM_ACKNOWLEDGE = "platform:alert:acknowledge"
    PLATFORM_RESOLVE = "platform:alert:resolve"

    @classmethod
    def interactive(cls) -> AbstractSet[Permission]:
        """Return what nobody says for the person: that it was he."""
        return frozenset({cls.RESOLVE_OWN})
