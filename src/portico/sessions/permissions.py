"""Rights over sessions."""

from portico.core.permissions import Permission


class SessionPermission(Permission):
    """What a person may do with his own sessions."""

    LIST_OWN = "session:self:list"
    END_OWN = "session:self:end"
