"""Settings of the authorization server, read as `PORTICO_OAUTH__*`."""

from datetime import timedelta
from enum import StrEnum
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import Field, model_validator

from portico.core.settings import FeatureSettings, SettingsGroup

LONGEST_CODE = timedelta(minutes=10)


class DynamicRegistration(StrEnum):
    """Who may register clients at `/oauth/register`."""

    OFF = "off"
    TOKEN = "token"
    OPEN = "open"


class ResourceSetting(SettingsGroup):
    """An API that tokens can be asked for, declared by the deployment."""

    identifier: str
    """The URL of the API; the audience of its tokens."""
    name: str = ""
    scopes: dict[str, str] = Field(default_factory=dict)
    """Scope to what it means in plain words."""
    default_scope: str = ""
    """What a request without `scope` gets; all scopes if empty."""
    requires_dpop: bool = False


class IssuerKind(StrEnum):
    """For whom a trusted issuer speaks."""

    WORKLOAD = "workload"
    """Programs that run on a platform: what it says of one stands for a client of ours."""
    ENTERPRISE = "enterprise"
    """The people of an organization: its identity provider lets a client act for them (ID-JAG)."""


LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class TrustedIssuer(SettingsGroup):
    """Somebody else whose signed word gets access tokens here (RFC 7523, section 2.1)."""

    issuer: str
    """The `iss` of its tokens, byte for byte."""
    kind: IssuerKind
    jwks_uri: str | None = None
    """Where it publishes its keys; or `jwks`, the keys themselves."""
    jwks: dict[str, Any] | None = None
    clients: dict[str, str] = Field(default_factory=dict)
    """Of a workload: which `sub` stands for which client, by its `client_id`."""
    organization_id: UUID | None = None
    """Of an enterprise: whose people it speaks for, by addresses in domains that the organization has proven."""
    is_reusable: bool = False
    """Whether a token may come more than once, for platforms that hand out the same one until it expires."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.jwks_uri is None) == (self.jwks is None):
            raise ValueError("name either jwks_uri or jwks")
        if self.kind is IssuerKind.WORKLOAD and (not self.clients or self.organization_id is not None):
            raise ValueError("a workload issuer has clients and no organization_id")
        if self.kind is IssuerKind.ENTERPRISE and (self.clients or self.organization_id is None):
            raise ValueError("an enterprise issuer has an organization_id and no clients")
        parts = urlsplit(self.jwks_uri or "https:")
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError("jwks_uri must use https")
        return self


class OAuthSettings(FeatureSettings):
    """What the authorization server allows, and how long things are good."""

    dynamic_registration: DynamicRegistration | None = None
    """`off`, `token` (with an initial access token) or `open`; by default open in development, else off."""
    client_documents: bool = True
    """Whether a `client_id` may be the URL of the client's metadata document."""
    document_hosts: tuple[str, ...] = ()
    """Hosts whose documents are taken, with their subdomains; every host if empty."""
    denied_document_hosts: tuple[str, ...] = ()
    """Hosts whose documents are refused, with their subdomains."""
    custom_schemes: tuple[str, ...] = ("cursor", "vscode", "vscode-insiders", "claude", "windsurf", "zed")
    """Schemes of redirect URIs that are taken though they are no reversed domain name."""
    resources: tuple[ResourceSetting, ...] = ()
    """APIs that tokens can be asked for, besides those that are declared in code or by administrators (JSON)."""
    trusted_issuers: tuple[TrustedIssuer, ...] = ()
    """Others whose signed word gets access tokens here: platforms of workloads, organizations' identity providers
    (JSON); none by default, and then the grant type is off."""
    code_lifetime: timedelta = Field(timedelta(seconds=60), gt=timedelta(0), le=LONGEST_CODE)
    """How long an authorization code is good."""
    request_lifetime: timedelta = Field(
        timedelta(seconds=90), ge=timedelta(seconds=5), le=timedelta(seconds=600)
    )
    """How long a pushed authorization request is good."""
    interaction_lifetime: timedelta = Field(
        timedelta(minutes=30), ge=timedelta(minutes=1), le=timedelta(hours=2)
    )
    """How long a request waits for a person who signs in and decides."""
    access_token_lifetime: timedelta = Field(
        timedelta(minutes=15), ge=timedelta(seconds=30), le=timedelta(hours=24)
    )
    """How long an access token is good, where neither client nor resource says otherwise."""
    id_token_lifetime: timedelta = Field(
        timedelta(minutes=15), ge=timedelta(seconds=30), le=timedelta(hours=24)
    )
    """How long an ID token is good."""
    refresh_idle: timedelta = Field(timedelta(days=30), ge=timedelta(minutes=5))
    """How long a refresh token is good that nobody uses."""
    refresh_absolute: timedelta = Field(timedelta(days=180), ge=timedelta(minutes=5))
    """How long a line of refresh tokens is good at most."""
    refresh_grace: timedelta = Field(timedelta(seconds=10), ge=timedelta(0), le=timedelta(seconds=60))
    """How long a refresh token that was just used still gets the same answer, for answers that were lost."""
    device_lifetime: timedelta = Field(
        timedelta(minutes=10), ge=timedelta(minutes=1), le=timedelta(minutes=30)
    )
    """How long a device waits for its approval."""
    device_interval: timedelta = Field(
        timedelta(seconds=5), ge=timedelta(seconds=1), le=timedelta(seconds=60)
    )
    """How often a device may ask whether it was approved."""
    requires_pushed_requests: bool = False
    """Refuse authorization requests that were not pushed (RFC 9126)."""
    client_secret_jwt: bool = False
    """Whether clients may sign assertions with their secret; it must then be kept readable, sealed."""
    client_secret_lifetime: timedelta | None = Field(None, ge=timedelta(hours=1))
    """How long client secrets are good; without an end if none."""
    secret_overlap: timedelta = Field(timedelta(days=1), ge=timedelta(0), le=timedelta(days=30))
    """How long the old secret of a client stays good after a rotation."""
    requires_dpop_nonce: bool = False
    """Ask for a nonce of ours in DPoP proofs at the token endpoint."""
    tls_certificate_header: str | None = None
    """Header in which a trusted proxy hands on the client's certificate (RFC 9440 or escaped PEM); off if none."""
    tls_alias_url: str | None = None
    """Base URL at which the proxy asks for certificates, for `mtls_endpoint_aliases`."""
    unused_client_ttl: timedelta = Field(timedelta(days=7), ge=timedelta(hours=1))
    """How long a client that registered itself and was never used is kept."""
    max_dynamic_clients: int = Field(100_000, ge=1)
    """How many clients that registered themselves there may be."""
    max_organization_clients: int = Field(100, ge=1)
    """How many clients of its own an organization may have."""
    cached_clients: int = Field(5_000, ge=1, le=1_000_000)
    """Clients that each process remembers."""
    cached_tokens: int = Field(20_000, ge=1, le=1_000_000)
    """Verified access tokens that each process remembers."""
    keep_ended: timedelta = Field(timedelta(days=30), ge=timedelta(hours=1))
    """How long grants that are over are kept."""
