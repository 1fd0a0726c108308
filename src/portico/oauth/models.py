"""Clients, grants, consents, and what waits for an answer. Nothing here can be presented: secrets are SHA-256 only."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from portico.db.base import NamedTable
from portico.db.columns import EnumText, JsonDocument, UtcDateTime
from portico.db.mixins import Identified, Timestamped, Versioned
from portico.oauth.types import (
    ClientDefault,
    ClientSource,
    ClientVerdict,
    DeviceState,
    GrantEnd,
    GrantType,
    RequestKind,
    TokenFormat,
)

CLIENT_ID_LENGTH = 500
RESOURCE_LENGTH = 500
SCOPE_LENGTH = 2000


class OAuthClient(Timestamped, Versioned, NamedTable):
    """A client. The id is that of its principal; `registered` is its metadata (RFC 7591), `policy` what we decide."""

    table = "oauth_clients"
    __table_args__ = (
        Index("ix_portico_oauth_clients_created_at", "created_at", "id"),
        Index("ix_portico_oauth_clients_organization_id", "organization_id", "created_at", "id"),
        CheckConstraint("(organization_id IS NOT NULL) = (source = 'organization')", name="organization"),
    )

    id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_principals.id", ondelete="CASCADE"), primary_key=True
    )
    client_id: Mapped[str] = mapped_column(String(CLIENT_ID_LENGTH), unique=True)
    source: Mapped[ClientSource] = mapped_column(EnumText(ClientSource))
    organization_id: Mapped[UUID | None] = mapped_column(
        Uuid, ForeignKey("portico_tenants.id", ondelete="CASCADE")
    )
    name: Mapped[str | None] = mapped_column(String(200))
    registered: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    policy: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    fingerprint: Mapped[str] = mapped_column(String(64))
    """Of what people consented to: name, redirects, keys. Another one, and they are asked again."""
    created_by: Mapped[UUID | None] = mapped_column(Uuid)
    registration_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """Of the registration access token (RFC 7592, section 3)."""
    document_fetched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    document_good_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class OAuthClientSecret(Identified, NamedTable):
    """A secret of a client; several are good at once while one follows another."""

    table = "oauth_secrets"

    client_key: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_oauth_clients.id", ondelete="CASCADE"), index=True
    )
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    hint: Mapped[str] = mapped_column(String(12))
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


_TO_EXPIRE = text("expires_at IS NOT NULL AND ended_at IS NULL")


class OAuthGrant(Identified, NamedTable):
    """One authorization: who let which client do what. Tokens are good as long as it is.

    `code_*`, `redirect_uri` and `challenge` stand until its authorization code is spent; a code that comes again finds
    the grant and ends it. `session_id` is the session in which it was given; without `is_offline` it ends with it.
    """

    table = "oauth_grants"
    __table_args__ = (
        Index("ix_portico_oauth_grants_user_id", "user_id", "client_key"),
        Index("ix_portico_oauth_grants_client_key", "client_key", "created_at"),
        Index(
            "ix_portico_oauth_grants_expires_at",
            "expires_at",
            sqlite_where=_TO_EXPIRE,
            postgresql_where=_TO_EXPIRE,
        ),
    )

    client_key: Mapped[UUID] = mapped_column(Uuid, ForeignKey("portico_oauth_clients.id", ondelete="CASCADE"))
    user_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("portico_users.id", ondelete="CASCADE"))
    organization_id: Mapped[UUID | None] = mapped_column(
        Uuid, ForeignKey("portico_tenants.id", ondelete="CASCADE"), index=True
    )
    session_id: Mapped[UUID | None] = mapped_column(Uuid, index=True)
    parent_id: Mapped[UUID | None] = mapped_column(Uuid, index=True)
    """The grant whose token was exchanged for this one; it ends with it."""
    kind: Mapped[GrantType] = mapped_column(EnumText(GrantType, 60))
    is_offline: Mapped[bool] = mapped_column(Boolean)
    scope: Mapped[str] = mapped_column(String(SCOPE_LENGTH))
    resources: Mapped[list[Any]] = mapped_column(JsonDocument)
    details: Mapped[list[Any]] = mapped_column(JsonDocument)
    """`authorization_details` (RFC 9396)."""
    context: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    """What ID tokens and userinfo repeat: nonce, auth_time, acr, amr, requested claims, act."""
    jkt: Mapped[str | None] = mapped_column(String(43))
    x5t: Mapped[str | None] = mapped_column(String(43))
    code_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    code_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    code_spent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    redirect_uri: Mapped[str | None] = mapped_column(String(2000))
    challenge: Mapped[str | None] = mapped_column(String(43))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it is over by itself: what somebody signed in for without `offline_access` is not good for longer than he
    can stay signed in."""
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    ended_reason: Mapped[GrantEnd | None] = mapped_column(EnumText(GrantEnd))


class OAuthConsent(Identified, Timestamped, NamedTable):
    """What a person has allowed a client, until it is taken back or the client is another one (`fingerprint`)."""

    table = "oauth_consents"
    __table_args__ = (UniqueConstraint("user_id", "client_key", name="uq_portico_oauth_consents_user_id"),)

    user_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("portico_users.id", ondelete="CASCADE"))
    client_key: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_oauth_clients.id", ondelete="CASCADE"), index=True
    )
    organization_id: Mapped[UUID | None] = mapped_column(
        Uuid, ForeignKey("portico_tenants.id", ondelete="CASCADE"), index=True
    )
    """In which organization the client works; the person chose it, and where he works himself changes nothing."""
    scope: Mapped[str] = mapped_column(String(SCOPE_LENGTH))
    resources: Mapped[list[Any]] = mapped_column(JsonDocument)
    details: Mapped[list[Any]] = mapped_column(JsonDocument)
    fingerprint: Mapped[str] = mapped_column(String(64))


class OAuthRequest(Identified, NamedTable):
    """An authorization request that was pushed (RFC 9126), or that waits for a person to sign in and decide."""

    table = "oauth_requests"

    kind: Mapped[RequestKind] = mapped_column(EnumText(RequestKind))
    client_key: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_oauth_clients.id", ondelete="CASCADE"), index=True
    )
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    parameters: Mapped[list[Any]] = mapped_column(JsonDocument)
    """Pairs of name and value, in their order."""
    jkt: Mapped[str | None] = mapped_column(String(43))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    spent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OAuthDevice(Identified, NamedTable):
    """A device that waits until somebody approves it elsewhere (RFC 8628)."""

    table = "oauth_devices"

    client_key: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_oauth_clients.id", ondelete="CASCADE"), index=True
    )
    device_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    user_code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    state: Mapped[DeviceState] = mapped_column(EnumText(DeviceState))
    scope: Mapped[str] = mapped_column(String(SCOPE_LENGTH))
    resources: Mapped[list[Any]] = mapped_column(JsonDocument)
    details: Mapped[list[Any]] = mapped_column(JsonDocument)
    jkt: Mapped[str | None] = mapped_column(String(43))
    client_address: Mapped[str | None] = mapped_column(String(64))
    grant_id: Mapped[UUID | None] = mapped_column(Uuid)
    interval_seconds: Mapped[int] = mapped_column(Integer)
    polled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class OAuthSpentId(NamedTable):
    """The `jti` of an assertion or proof that was shown: SHA-256 of kind, issuer and id. Good once until it expires."""

    table = "oauth_spent_ids"

    id_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class OAuthToken(Identified, NamedTable):
    """An opaque access token: what a JWT would say, found by the SHA-256 of its text."""

    table = "oauth_tokens"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    grant_id: Mapped[UUID | None] = mapped_column(Uuid, index=True)
    client_key: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_oauth_clients.id", ondelete="CASCADE"), index=True
    )
    claims: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OAuthResource(Identified, Timestamped, Versioned, NamedTable):
    """An API that tokens can be asked for (RFC 8707): the audience of its tokens, and its scopes by name."""

    table = "oauth_resources"

    identifier: Mapped[str] = mapped_column(String(RESOURCE_LENGTH), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    scopes: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    """Scope to what it means in plain words."""
    default_scope: Mapped[str] = mapped_column(String(SCOPE_LENGTH))
    token_format: Mapped[TokenFormat | None] = mapped_column(EnumText(TokenFormat))
    access_token_seconds: Mapped[int | None] = mapped_column(Integer)
    requires_dpop: Mapped[bool] = mapped_column(Boolean)
    introspected_by: Mapped[list[Any]] = mapped_column(JsonDocument)
    """Client ids that may ask about its tokens."""


class OAuthInitialToken(Identified, NamedTable):
    """An initial access token, by which somebody may register clients (RFC 7591, section 3)."""

    table = "oauth_initial_tokens"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    uses_left: Mapped[int | None] = mapped_column(Integer)
    created_by: Mapped[UUID | None] = mapped_column(Uuid)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OAuthClientRule(Identified, Timestamped, NamedTable):
    """What an organization says of a client that wants to work in it."""

    table = "oauth_client_rules"
    __table_args__ = (
        UniqueConstraint(
            "organization_id", "client_key", name="uq_portico_oauth_client_rules_organization_id"
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("portico_tenants.id", ondelete="CASCADE"))
    client_key: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_oauth_clients.id", ondelete="CASCADE"), index=True
    )
    verdict: Mapped[ClientVerdict] = mapped_column(EnumText(ClientVerdict))
    asked_by: Mapped[UUID | None] = mapped_column(Uuid)
    decided_by: Mapped[UUID | None] = mapped_column(Uuid)


class OAuthOrganizationPolicy(NamedTable):
    """What an organization says of clients that it has not spoken of one by one; without a row they are let in."""

    table = "oauth_organization_policies"

    organization_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_tenants.id", ondelete="CASCADE"), primary_key=True
    )
    default: Mapped[ClientDefault] = mapped_column(EnumText(ClientDefault))
    decided_by: Mapped[UUID | None] = mapped_column(Uuid)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
