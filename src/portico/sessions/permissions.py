"""Rights over sessions."""

from collections.abc import Set as AbstractSet

from portico.core.permissions import Permission


class SessionPermission(Permission):
    """What a person may do with his own sessions, and who may act in the name of others."""

    LIST_OWN = "session:self:list"
    END_OWN = "session:self:end"
    IMPERSONATE = "platform:user:impersonate"

    @classmethod
    def interactive(cls) -> AbstractSet[Permission]:
        """Return those that only the person himself has."""
        return frozenset({cls.END_OWN, cls.IMPERSONATE})
