"""Words of organizations."""

from enum import StrEnum


class Joined(StrEnum):
    """How somebody became a member."""

    CREATED = "created"
    INVITED = "invited"
    BY_DOMAIN = "by_domain"
    ADDED = "added"


class Creation(StrEnum):
    """Who may make organizations."""

    ANYONE = "anyone"
    ADMINISTRATORS = "administrators"
