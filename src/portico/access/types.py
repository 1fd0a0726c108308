"""Platform roles."""

from enum import StrEnum


class PlatformRole(StrEnum):
    """Roles over the whole deployment; those of an organization live in `organizations`."""

    SUPERUSER = "superuser"
