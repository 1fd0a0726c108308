"""Shapes of the API of keys and service accounts. Nowhere does a body say whose key it is: the caller does, or the path
(CVE-2025-61928).
"""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, Field, SecretStr

from portico.api_keys.models import ApiKey
from portico.api_keys.types import (
    IssuedKey,
    KeyChanges,
    KeyEnd,
    KeyFilter,
    KeyKind,
    KeySort,
    KeyState,
    NewKey,
    NewServiceAccount,
)
from portico.core.ids import OrganizationId
from portico.http.pagination import PageQuery, SortOrder
from portico.http.schemas import Moment, RequestModel, ResponseModel

MOST_NETWORKS = 50
MOST_SCOPES = 200


def _readable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be one line without control characters, and without spaces around it")
    return text


Name = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_readable)]
Scopes = Annotated[list[Annotated[str, Field(max_length=120)]], Field(min_length=1, max_length=MOST_SCOPES)]
Networks = Annotated[list[Annotated[str, Field(max_length=50)]], Field(max_length=MOST_NETWORKS)]
Rate = Annotated[int, Field(ge=1, le=1_000_000)]
Quota = Annotated[int, Field(ge=1, le=1_000_000_000)]
RoleName = Annotated[str, Field(min_length=1, max_length=40)]


class KeyListQuery(PageQuery):
    """Which keys, the newest first. `q` is looked for in the name; or it is the shown beginning of a key."""

    sort_by: KeySort = KeySort.CREATED_AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""
    state: KeyState | None = None
    """Only keys that stand so."""

    def wanted(self) -> KeyFilter:
        """Return the filters."""
        return KeyFilter(state=self.state)


class OrganizationKeyListQuery(KeyListQuery):
    """Which keys of an organization."""

    service_account_id: UUID | None = None
    """Only those of this service account."""

    def wanted(self) -> KeyFilter:
        """Return the filters."""
        return KeyFilter(state=self.state, principal_id=self.service_account_id)


class AdminKeyListQuery(KeyListQuery):
    """Which keys of the deployment."""

    kind: KeyKind | None = None
    """Only keys of this kind."""
    principal_id: UUID | None = None
    """Only those that act for this person, service account or organization."""
    organization_id: UUID | None = None
    """Only those that are good in this organization."""

    def wanted(self) -> KeyFilter:
        """Return the filters."""
        return KeyFilter(
            state=self.state,
            kind=self.kind,
            principal_id=self.principal_id,
            organization_id=self.organization_id,
        )


class CreateApiKeyRequest(RequestModel):
    """A key that acts for the caller. It can do what he can, as far as its scopes allow."""

    name: Name
    """To tell it from others: where it is used."""
    scopes: Scopes
    """Permissions; none that the caller does not hold."""
    organization_id: UUID | None = Field(None, strict=False)
    """The only organization in which it is good; without one it is good in none."""
    networks: Networks = Field(default=[])
    """Addresses and networks from which it may be used; none allows every address."""
    expires_at: Moment | None = Field(None, strict=False)
    """When it ends; by default after 90 days."""
    rate_limit_per_minute: Rate | None = None
    """Requests in any minute."""
    quota_per_day: Quota | None = None
    """Requests in a day, which begins at midnight, UTC."""

    def wish(self) -> NewKey:
        """Return what is wished for."""
        return new_key(self.model_dump())


class CreateOrganizationKeyRequest(RequestModel):
    """A key that acts for the organization itself, or for one of its service accounts."""

    name: Name
    """To tell it from others: where it is used."""
    scopes: Scopes
    """Permissions; none that the caller does not hold in the organization."""
    service_account_id: UUID | None = Field(None, strict=False)
    """For whom it acts; without one for the organization itself."""
    networks: Networks = Field(default=[])
    """Addresses and networks from which it may be used; none allows every address."""
    expires_at: Moment | None = Field(None, strict=False)
    """When it ends; by default after 90 days."""
    rate_limit_per_minute: Rate | None = None
    """Requests in any minute."""
    quota_per_day: Quota | None = None
    """Requests in a day, which begins at midnight, UTC."""

    def wish(self, organization_id: UUID) -> NewKey:
        """Return what is wished for."""
        return new_key({**self.model_dump(), "organization_id": organization_id})


def new_key(given: dict[str, Any]) -> NewKey:
    """Return the wish that a body states."""
    where = given.get("organization_id")
    return NewKey(**{**given, "organization_id": OrganizationId(where) if where else None})


class UpdateApiKeyRequest(RequestModel):
    """What of a key can be changed. Scopes and end cannot: make another key."""

    name: Name = ""
    networks: Networks = Field(default=[])
    rate_limit_per_minute: Rate | None = None
    quota_per_day: Quota | None = None

    def changes(self) -> KeyChanges:
        """Return the fields that the request names."""
        return KeyChanges(self.model_dump(exclude_unset=True))


class RotateApiKeyRequest(RequestModel):
    """How long the old key stays good."""

    overlap_hours: int | None = Field(None, ge=0, le=168)
    """In hours, at most 7 days; by default 24. 0 ends the old key at once."""


class ApiKeyResponse(ResponseModel):
    """A key without its text."""

    id: UUID
    kind: KeyKind
    state: KeyState
    name: str
    prefix: str
    """The beginning of its text."""
    principal_id: UUID | None
    """For whom it acts; null for a honeytoken."""
    organization_id: UUID | None
    """The only organization in which it is good."""
    scopes: list[str]
    networks: list[str]
    rate_limit_per_minute: int | None
    quota_per_day: int | None
    expires_at: datetime | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None
    """To about a minute."""
    last_used_address: str | None
    use_count: int
    """To about half a minute."""
    revoked_at: datetime | None
    revoked_reason: KeyEnd | None
    replaced_by: UUID | None
    """The key that took its place."""
    overlap_until: datetime | None
    """Until when it is good beside the one that took its place."""
    version: int

    @classmethod
    def of(cls, row: ApiKey, now: datetime) -> Self:
        """Return a key as callers see it."""
        known = cls.model_fields.keys() - {"state", "prefix"}
        facts = {name: getattr(row, name) for name in known}
        return cls(**facts, state=state_of(row, now), prefix=row.shown_prefix)


def state_of(row: ApiKey, now: datetime) -> KeyState:
    """Return where a key stands."""
    if row.revoked_at is not None:
        return KeyState.EXPIRED if row.revoked_reason is KeyEnd.EXPIRED else KeyState.REVOKED
    if row.expires_at is not None and row.expires_at <= now:
        return KeyState.EXPIRED
    if row.replaced_by is None:
        return KeyState.ACTIVE
    return KeyState.ROTATED if row.overlap_until is None or row.overlap_until > now else KeyState.REVOKED


class IssuedApiKeyResponse(ResponseModel):
    """A new key; `key` is its text, shown this once."""

    id: UUID
    key: str
    expires_at: datetime | None

    @classmethod
    def of(cls, issued: IssuedKey) -> Self:
        """Return what its maker gets to see."""
        return cls(id=issued.id, key=str(issued.text), expires_at=issued.expires_at)


class PlantHoneytokenRequest(RequestModel):
    """A key that opens nothing and tells who tries it."""

    name: Name
    """Where it is laid."""


class CreateServiceAccountRequest(RequestModel):
    """A principal of the organization that is no person."""

    name: Name
    description: str = Field("", max_length=400)
    roles: list[RoleName] = Field(default=[], max_length=50)
    """By the names of roles, or by the ids of those that the organization made; without any it may do nothing."""

    def wish(self) -> NewServiceAccount:
        """Return what is wished for."""
        return NewServiceAccount(**self.model_dump())


class UpdateServiceAccountRequest(RequestModel):
    """What of a service account is changed."""

    name: Name = ""
    description: str = Field("", max_length=400)

    def sent(self) -> dict[str, Any]:
        """Return the fields that the request names."""
        return self.model_dump(exclude_unset=True)


class ServiceAccountRolesRequest(RequestModel):
    """The roles that a service account is to hold, and no others."""

    roles: list[RoleName] = Field(max_length=50)


class ServiceAccountListQuery(PageQuery):
    """Which service accounts, the newest first. `q` is looked for in the name."""

    sort_by: KeySort = KeySort.CREATED_AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""


class ServiceAccountResponse(ResponseModel):
    """A service account and its roles."""

    id: UUID
    organization_id: UUID
    name: str
    description: str
    roles: list[str]
    disabled_at: datetime | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    version: int


class PageNewKey(RequestModel):
    """The form for a new key, without the boxes of its scopes."""

    name: Name
    days: int = Field(ge=1, le=3650, strict=False)
    organization_id: UUID | None = Field(None, strict=False)
    service_account_id: UUID | None = Field(None, strict=False)
    networks: str | None = Field(None, max_length=1_000)
    password: SecretStr | None = Field(None, max_length=4_096)


class PageKeyAct(RequestModel):
    """The form that rotates or revokes a key."""

    key_id: UUID = Field(strict=False)
    password: SecretStr | None = Field(None, max_length=4_096)


class PageNewAccount(RequestModel):
    """The form for a new service account."""

    account_name: Name
    role: RoleName


class PageAccountAct(RequestModel):
    """The form that switches or deletes a service account."""

    account_id: UUID = Field(strict=False)
