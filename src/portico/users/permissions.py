"""Rights over people."""

from portico.core.permissions import Permission


class UserPermission(Permission):
    """`self` is what everybody who is signed in may do with his own account; the rest is for administrators."""

    SELF_READ = "user:self:read"
    SELF_UPDATE = "user:self:update"
    SELF_DELETE = "user:self:delete"
    SELF_EXPORT = "user:self:export"
    READ = "platform:user:read"
    CREATE = "platform:user:create"
    UPDATE = "platform:user:update"
    DEACTIVATE = "platform:user:deactivate"
    DELETE = "platform:user:delete"
