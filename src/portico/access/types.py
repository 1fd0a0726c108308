"""Words of rights: the roles that every deployment and every organization has, and how one names a role."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Self
from uuid import UUID


class PlatformRole(StrEnum):
    """Roles over the whole deployment. What `support` and `auditor` hold is declared by the features."""

    SUPERUSER = "superuser"
    """Holds every permission, those of organizations too."""
    SUPPORT = "support"
    """Sees people and organizations and helps them, also in their name."""
    AUDITOR = "auditor"
    """Sees everything that tells who did what, and changes nothing."""


class OrganizationRole(StrEnum):
    """Roles that every organization has from its first day."""

    OWNER = "owner"
    """Holds every permission of the organization; there is always at least one."""
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


ROLE_NAME = re.compile(r"[a-z][a-z0-9_-]{1,38}[a-z0-9]", re.ASCII)
"""What a role may be called in the API; three to forty characters."""


@dataclass(frozen=True, slots=True)
class SignInRules:
    """How somebody must have signed in to act in an organization; machines with keys are not meant.

    Empty `methods` allow every way; values are those of `amr` (RFC 8176). `max_age` counts from the sign-in.
    """

    min_aal: int = 1
    methods: frozenset[str] = frozenset()
    max_age: timedelta | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as the database keeps it; what is not asked for is left out."""
        return {
            "min_aal": self.min_aal,
            "methods": sorted(self.methods),
            "max_age_seconds": int(self.max_age.total_seconds()) if self.max_age else None,
        }

    @classmethod
    def of_json(cls, kept: dict[str, Any]) -> Self:
        """Read what the database keeps."""
        seconds = kept.get("max_age_seconds")
        return cls(
            min_aal=kept.get("min_aal", 1),
            methods=frozenset(kept.get("methods", ())),
            max_age=timedelta(seconds=seconds) if seconds else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What somebody holds in one organization. `roles` are names; one made at run time is named by its id."""

    permissions: frozenset[str]
    roles: tuple[str, ...] = ()
    is_disabled: bool = False
    rules: SignInRules = SignInRules()

    def covers(self, permissions: frozenset[str]) -> bool:
        """Tell whether all of them are held, in an organization that is switched on."""
        return not self.is_disabled and permissions <= self.permissions


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleFacts:
    """A role of one organization. `id` is None for those that every organization has."""

    id: UUID | None
    name: str
    title: str
    description: str
    permissions: frozenset[str]
    version: int = 1

    @property
    def is_system(self) -> bool:
        """Tell whether every organization has it."""
        return self.id is None
