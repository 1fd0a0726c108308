"""What happens to API keys and service accounts. Ids only."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from portico.api_keys.types import KeyEnd, KeyKind
from portico.messaging import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyCreated(Event):
    """There is a new key; of a honeytoken `principal_id` is null."""

    name: ClassVar[str] = "api_key.created"

    key_id: UUID
    kind: KeyKind
    principal_id: UUID | None
    organization_id: UUID | None
    created_by: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyRotated(Event):
    """A newer key took the place of an old one, which is good until the overlap ends."""

    name: ClassVar[str] = "api_key.rotated"

    key_id: UUID
    new_key_id: UUID
    organization_id: UUID | None
    overlap_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyRevoked(Event):
    """A key was ended before its time."""

    name: ClassVar[str] = "api_key.revoked"

    key_id: UUID
    organization_id: UUID | None
    reason: KeyEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyExpired(Event):
    """A key has reached its end; told within the hour."""

    name: ClassVar[str] = "api_key.expired"

    key_id: UUID
    organization_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoneytokenUsed(Event):
    """Somebody tried a key that nobody was given: he has been where it was laid. At most once a minute and address."""

    name: ClassVar[str] = "api_key.honeytoken_used"

    key_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccountCreated(Event):
    """An organization has a new service account."""

    name: ClassVar[str] = "service_account.created"

    service_account_id: UUID
    organization_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccountDisabled(Event):
    """A service account was switched off; its keys are dead while it is."""

    name: ClassVar[str] = "service_account.disabled"

    service_account_id: UUID
    organization_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccountDeleted(Event):
    """A service account is gone, and its keys with it."""

    name: ClassVar[str] = "service_account.deleted"

    service_account_id: UUID
    organization_id: UUID
