"""Words of API keys, and the values that services hand around."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Self
from uuid import UUID

from portico.core.ids import OrganizationId, UserId
from portico.tokens.secret_format import SecretFormat
from portico.tokens.types import Secret

KEY_FORMAT = SecretFormat("pak_")
SHOWN_LENGTH = len(KEY_FORMAT.prefix) + 4
"""How much of a key is kept to tell it from others: the prefix and 24 of its 256 bits."""

type Network = IPv4Network | IPv6Network


class ApiKeyText(Secret):
    """A key as its holder keeps it (`pak_…`)."""

    __slots__ = ()


class KeyKind(StrEnum):
    """Whose key it is."""

    PERSONAL = "personal"
    """Acts for a person."""
    SERVICE_ACCOUNT = "service_account"
    """Acts for a service account of an organization."""
    ORGANIZATION = "organization"
    """Acts for an organization itself, and outlives whoever made it."""
    HONEYTOKEN = "honeytoken"
    """Opens nothing; whoever uses it has been where he should not be."""


class KeyEnd(StrEnum):
    """Why a key is good no more."""

    REVOKED = "revoked"
    ROTATED = "rotated"
    EXPIRED = "expired"
    ACCOUNT_CLOSED = "account_closed"
    ACCOUNT_CLAIMED = "account_claimed"
    LEFT_ORGANIZATION = "left_organization"
    SERVICE_ACCOUNT_CLOSED = "service_account_closed"


class KeyState(StrEnum):
    """Where a key stands."""

    ACTIVE = "active"
    ROTATED = "rotated"
    """A newer one took its place; it is good until the overlap ends."""
    EXPIRED = "expired"
    REVOKED = "revoked"


class KeyFault(StrEnum):
    """Why a key was refused; told to the log and the trail, to the caller only that it expired."""

    UNKNOWN = "unknown"
    REVOKED = "revoked"
    EXPIRED = "expired"
    HOLDER_DISABLED = "holder_disabled"
    ORGANIZATION_DISABLED = "organization_disabled"
    HONEYTOKEN = "honeytoken"
    NETWORK = "network"


class KeySort(StrEnum):
    """What lists of keys may be sorted by."""

    CREATED_AT = "created_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Belonging:
    """Whose keys are spoken of: a person's own, an organization's, or anybody's."""

    user_id: UserId | None = None
    organization_id: OrganizationId | None = None

    @classmethod
    def to_anybody(cls) -> Self:
        """Leave nobody's out; for administrators of the deployment."""
        return cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFilter:
    """Which keys of a list are wanted."""

    state: KeyState | None = None
    kind: KeyKind | None = None
    principal_id: UUID | None = None
    organization_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key as wished for. `expires_at` None takes the default age; `networks` none allows every address."""

    name: str
    scopes: Sequence[str]
    organization_id: OrganizationId | None = None
    service_account_id: UUID | None = None
    networks: Sequence[str] = ()
    expires_at: datetime | None = None
    rate_limit_per_minute: int | None = None
    quota_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class KeyChanges:
    """The fields to change, by name: `name`, `networks`, `rate_limit_per_minute`, `quota_per_day`."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewServiceAccount:
    """A service account as wished for; `roles` are names as in `portico.access`."""

    name: str
    description: str = ""
    roles: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccountView:
    """A service account and what it holds."""

    id: UUID
    organization_id: UUID
    name: str
    description: str
    roles: tuple[str, ...]
    disabled_at: datetime | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """A key that was just made: the only moment at which its text is known."""

    id: UUID
    text: ApiKeyText = field(repr=False)
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a process saw of one key since it last said so."""

    key_id: UUID
    count: int
    day: int
    """The day (UTC) of the last use, as an ordinal."""
    on_day: int
    """How many of them fell on it and were not counted before; below zero: so many that were counted were not made."""
    at: datetime
    address: str | None


ONE_DAY = timedelta(days=1)
FRESH_WITHIN = timedelta(minutes=10)
"""How long after signing in one may make and rotate keys."""
