"""Rights over credentials."""

from collections.abc import Set as AbstractSet

from portico.core.permissions import Permission


class CredentialPermission(Permission):
    """`self` is what everybody who is signed in may do; the rest is for administrators."""

    SELF_CHANGE_PASSWORD = "credential:self:change_password"
    UNLOCK = "platform:credential:unlock"
    INVITATION_READ = "platform:invitation:read"
    INVITATION_CREATE = "platform:invitation:create"
    INVITATION_REVOKE = "platform:invitation:revoke"

    @classmethod
    def interactive(cls) -> AbstractSet[Permission]:
        """Return those that only the person himself has."""
        return frozenset({cls.SELF_CHANGE_PASSWORD})
