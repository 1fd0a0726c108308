"""Who is calling: the principal, and the chain of authenticators that finds him.

Features contribute authenticators, those of higher floors are asked first; the first that recognises its kind of
credential decides. The outcome stands in `scope["portico.principal"]` before any route runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from starlette.types import Scope

from portico.core.ids import OrganizationId, PrincipalId, SessionId

PRINCIPAL_KEY = "portico.principal"
REJECTION_KEY = "portico.rejection"


class PrincipalKind(StrEnum):
    """What sort of caller; a client can never be taken for a person (RFC 9700, section 4.15)."""

    USER = "user"
    SERVICE_ACCOUNT = "service_account"
    CLIENT = "client"
    ORGANIZATION = "organization"
    """An organization itself, by a key that is nobody's own; its id is the organization's."""


class CredentialKind(StrEnum):
    """By what the caller was recognised. Cookie-authenticated writes need the CSRF check."""

    COOKIE = "cookie"
    BEARER = "bearer"
    API_KEY = "api_key"
    OAUTH = "oauth"
    """An access token that a client was given by the authorization server."""
    JOB = "job"
    """No credential: a job that acts for whoever asked for it, with the rights that he has now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impersonation:
    """What pages show to whoever acts in another's name: the names of both, the reason, and when it is over."""

    actor_name: str
    person_name: str
    reason: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The caller of one request.

    `roles` are the platform roles held; `scopes` narrows what the credential may do, None narrows nothing.
    `amr` and `aal` tell how the session was authenticated (RFC 8176; NIST SP 800-63B-4).
    """

    id: PrincipalId
    kind: PrincipalKind
    credential: CredentialKind
    session_id: SessionId | None = None
    auth_time: datetime | None = None
    amr: tuple[str, ...] = ()
    aal: int = 1
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    organization_id: OrganizationId | None = None
    """The active organization; of an API key the only one in which it is good."""
    actor_id: PrincipalId | None = None
    """Who acts on behalf of `id`: whoever impersonates him, or a client by a token that it exchanged (RFC 8693)."""
    impersonation: Impersonation | None = None
    """Stands with the `actor_id` of a session."""
    credential_id: UUID | None = None
    """Which API key it is, or under which grant a client acts."""
    client_id: str | None = None
    """Which OAuth client acts, where one does."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A credential of a known kind that is no good; `code` and `detail` go into the 401.

    `scheme`, `error` and `parameters` make its challenge (RFC 6750, section 3); `headers` go beside that.
    """

    code: str
    detail: str
    scheme: str = "Bearer"
    error: str = "invalid_token"
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class KeyAuthority(Protocol):
    """Knows the keys of machines; filled by whoever makes them."""

    async def read_again(self, principal: Principal) -> Principal | Rejection:
        """Return the caller, or why his key is no good any more, by what the database says now."""
        ...


class Authenticator(Protocol):
    """Recognises one kind of credential.

    `headers` maps lower-case names to values (latin-1 text). None: not my kind, ask the next one.
    """

    async def authenticate(self, scope: Scope, headers: Mapping[str, str]) -> Principal | Rejection | None:
        """Return the principal, a rejection, or None."""
        ...
