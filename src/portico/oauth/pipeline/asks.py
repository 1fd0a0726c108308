"""One request of the protocol, as the checks see it and complete it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.oauth.pipeline.parameters import Parameters
from portico.oauth.protocol.jarm_response_modes import PLAIN, ResponseMode
from portico.oauth.protocol.oidc_claims import NOTHING, ClaimsRequest
from portico.oauth.protocol.refusals import ErrorCode
from portico.oauth.protocol.rfc7523_client_assertions import AuthorizationGrant
from portico.oauth.services.clients import Client
from portico.oauth.services.resources import Resource
from portico.oauth.types import AuthMethod, GrantType, SenderKey
from portico.runtime import Runtime


class Endpoint(StrEnum):
    """The columns of the table."""

    AUTHORIZE = "authorize"
    PUSHED = "par"
    DEVICE = "device_authorization"
    TOKEN = "token"
    REVOKE = "revoke"
    INTROSPECT = "introspect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """What came beside the parameters. `url` is that of the endpoint as clients know it, from the public URL."""

    method: str
    url: str
    authorization: str | None = None
    proofs: tuple[str, ...] = ()
    """Every `DPoP` header."""
    certificate: str | None = None
    """The client's certificate, as the trusted proxy hands it on."""
    accept: str = ""


@dataclass(frozen=True, slots=True)
class Once:
    """The id of an assertion or proof that is good once; `error` is the answer to the second."""

    kind: str
    owner: str
    jti: str
    remember_until: float
    error: ErrorCode


@dataclass(slots=True, kw_only=True)
class Ask:
    """What is asked, and what the checks have found out; each field is written by one check."""

    runtime: Runtime
    unit: Unit
    endpoint: Endpoint
    transport: Transport
    given: Parameters
    now: datetime
    principal: Principal | None = None
    """Who is signed in in this browser."""
    asked_at: datetime | None = None
    """When a parked request came first: what somebody proved before that does not count as an answer to it."""

    client_: Client | None = None
    auth_method: AuthMethod | None = None
    redirect_uri: str | None = None
    """Where the answer goes; None as long as it is not known to be the client's: then errors become a page."""
    names_redirect: bool = False
    response_mode: ResponseMode = PLAIN
    is_pushed: bool = False
    is_signed: bool = False
    pushed_id: UUID | None = None
    scopes: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()
    details: tuple[dict[str, Any], ...] = ()
    claims: ClaimsRequest = NOTHING
    challenge: str | None = None
    prompts: frozenset[str] = frozenset()
    max_age: int | None = None
    hinted_user: str | None = None
    sender: SenderKey = field(default_factory=SenderKey)
    grant_type: GrantType | None = None
    vouched: AuthorizationGrant | None = None
    """What a trusted issuer says of the workload that asks, where that is how it proved itself."""
    once: list[Once] = field(default_factory=list)
    """What the transaction has to note before anything else; see `services.once`."""

    @property
    def client(self) -> Client:
        """Return the client, once it is known.

        Raises:
            RuntimeError: no check has found it yet: the order of the table is wrong.
        """
        if self.client_ is None:
            raise RuntimeError("the client is not known yet")
        return self.client_

    @property
    def state(self) -> str | None:
        """Return what the client wants to have back."""
        return self.given.one("state")

    @property
    def wants_openid(self) -> bool:
        """Tell whether it is a request of OpenID Connect."""
        return "openid" in self.scopes

    @property
    def resource_ids(self) -> Sequence[str]:
        """Return the identifiers of what is asked for."""
        return [resource.identifier for resource in self.resources]
