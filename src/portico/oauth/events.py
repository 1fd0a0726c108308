"""What happens to clients and grants."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from portico.messaging import Event
from portico.oauth.types import ClientDefault, ClientSource, ClientVerdict, GrantEnd, GrantType


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRegistered(Event):
    """There is a new client."""

    name: ClassVar[str] = "oauth.client.registered"

    client_key: UUID
    client_id: str
    source: ClientSource
    organization_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientChanged(Event):
    """A client's metadata, policy or secrets are others now."""

    name: ClassVar[str] = "oauth.client.changed"

    client_key: UUID
    client_id: str
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDisabled(Event):
    """A client may do nothing any more until somebody switches it on again."""

    name: ClassVar[str] = "oauth.client.disabled"

    client_key: UUID
    client_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientEnabled(Event):
    """A client may work again; what was ended stays ended."""

    name: ClassVar[str] = "oauth.client.enabled"

    client_key: UUID
    client_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDeleted(Event):
    """A client is gone, and all its grants with it."""

    name: ClassVar[str] = "oauth.client.deleted"

    client_key: UUID
    client_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantGiven(Event):
    """A client may act: for a person, or for itself with another's token."""

    name: ClassVar[str] = "oauth.grant.given"

    grant_id: UUID
    client_key: UUID
    kind: GrantType
    scope: str
    user_id: UUID | None = None
    organization_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantsEnded(Event):
    """These grants are over, all for the same reason; no token of theirs is good any more."""

    name: ClassVar[str] = "oauth.grant.ended"

    grant_ids: tuple[UUID, ...]
    reason: GrantEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRequested(Event):
    """A member wants to connect a client that an administrator of the organization has to let in first."""

    name: ClassVar[str] = "oauth.client_rule.requested"

    organization_id: UUID
    client_key: UUID
    client_id: str
    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRuled(Event):
    """An organization lets a client in, or keeps it out; None: it says nothing of it any more."""

    name: ClassVar[str] = "oauth.client_rule.decided"

    organization_id: UUID
    client_key: UUID
    client_id: str
    verdict: ClientVerdict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDefaultChanged(Event):
    """An organization does something else now with clients of which it has said nothing."""

    name: ClassVar[str] = "oauth.client_policy.changed"

    organization_id: UUID
    default: ClientDefault
