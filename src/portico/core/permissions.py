"""The vocabulary of rights: each feature declares a `Permission` of its own.

A permission is written `scope:resource:action` (`user:self:read`, `platform:user:delete`). What a principal
holds is known to `portico.access`; what a route asks for stands at the route.
"""

from enum import StrEnum


class Permission(StrEnum):
    """Base of every feature's permissions; values have three parts joined by colons."""
