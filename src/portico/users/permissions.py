"""Rights over people."""

from collections.abc import Set as AbstractSet

from portico.core.permissions import Permission


class UserPermission(Permission):
    """`self` is what everybody who is signed in may do with his own account; the rest is for administrators."""

    SELF_READ = "user:self:read"
    SELF_UPDATE = "user:self:update"
    SELF_CHANGE_EMAIL = "user:self:change_email"
    SELF_DELETE = "user:self:delete"
    SELF_EXPORT = "user:self:export"
    READ = "platform:user:read"
    CREATE = "platform:user:create"
    UPDATE = "platform:user:update"
    DEACTIVATE = "platform:user:deactivate"
    DELETE = "platform:user:delete"

    @classmethod
    def interactive(cls) -> AbstractSet[Permission]:
        """Return those that only the person himself has."""
        return frozenset({cls.SELF_CHANGE_EMAIL, cls.SELF_DELETE, cls.SELF_EXPORT})
