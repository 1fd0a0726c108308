"""The vocabulary of rights: each feature declares a `Permission` of its own.

A permission is written `scope:resource:action`, and its words tell where it is held:

    user:self:read               by every person, over himself
    platform:user:delete         by platform role, over the whole deployment
    document:document:delete     in an organization, by role there

What a principal holds is known to `portico.access`; what a route asks for stands at the route.
"""

from collections.abc import Set as AbstractSet
from enum import StrEnum
from functools import cache

SELF = "self"
PLATFORM = "platform"


class Reach(StrEnum):
    """Where a permission is held."""

    SELF = "self"
    PLATFORM = "platform"
    ORGANIZATION = "organization"


class Permission(StrEnum):
    """Base of every feature's permissions; values have three parts joined by colons."""

    @property
    def reach(self) -> Reach:
        """Return where it is held."""
        return reach_of(self.value)

    @property
    def is_interactive(self) -> bool:
        """Tell whether only the person himself may use it, at a keyboard."""
        return self in type(self).interactive()

    @classmethod
    def interactive(cls) -> AbstractSet["Permission"]:
        """Return those that neither an API key nor an impersonator ever has: credentials, sessions, and the like."""
        return frozenset()


@cache
def reach_of(permission: str) -> Reach:
    """Return where a permission of this name is held."""
    scope, _, rest = permission.partition(":")
    if rest.partition(":")[0] == SELF:
        return Reach.SELF
    return Reach.PLATFORM if scope == PLATFORM else Reach.ORGANIZATION
