"""Shapes of the API over clients, resources and initial access tokens.

A client is one flat object: the members of its metadata under the names that RFC 7591 gives them, beside what we know
and decide of it. What a value may be is judged by the protocol (`protocol.rfc7591_registration`); here is only its
type.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from portico.http.pagination import PageQuery, SortOrder
from portico.http.schemas import RequestModel, ResponseModel
from portico.oauth.models import OAuthClient, OAuthClientSecret, OAuthGrant, OAuthResource
from portico.oauth.protocol.redirect_uris import MAX_REDIRECT_URI, MAX_REDIRECT_URIS
from portico.oauth.protocol.rfc7591_members import READERS
from portico.oauth.protocol.rfc7591_values import MAX_LIST, MAX_NAME, MAX_TEXT, MAX_URI
from portico.oauth.protocol.scopes import MAX_SCOPE
from portico.oauth.services.client_secrets import IssuedSecret
from portico.oauth.services.connections import Connection
from portico.oauth.services.initial_tokens import InitialToken
from portico.oauth.services.organization_rules import RuledClient
from portico.oauth.types import (
    Admission,
    ClientDefault,
    ClientKind,
    ClientPolicy,
    ClientSort,
    ClientSource,
    ClientVerdict,
    GrantEnd,
    GrantType,
    Profile,
    TokenFormat,
)

LONGEST_OVERLAP_HOURS = 720
MOST_RESOURCES = 50
MOST_SCOPES = 200


def _readable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be one line without control characters, and without spaces around it")
    return text


Name = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_readable)]
Words = Annotated[str, Field(max_length=MAX_TEXT)]
WordList = Annotated[list[Words], Field(max_length=MAX_LIST)]
Uri = Annotated[str, Field(max_length=MAX_URI)]
Redirects = Annotated[
    list[Annotated[str, Field(max_length=MAX_REDIRECT_URI)]], Field(max_length=MAX_REDIRECT_URIS)
]
Seconds = Annotated[int, Field(ge=0)]
TokenSeconds = Annotated[int, Field(ge=30, le=86_400)]
RefreshSeconds = Annotated[int, Field(ge=300, le=315_360_000)]
Url = Annotated[str, Field(min_length=1, max_length=500)]
Urls = Annotated[list[Url], Field(max_length=MOST_RESOURCES)]
Format = Annotated[TokenFormat, Field(strict=False)]
Meaning = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_readable)]
Scopes = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=120)], Meaning], Field(max_length=MOST_SCOPES)
]


class ClientMembers(BaseModel):
    """The metadata of a client (RFC 7591, section 2, and its neighbours); null for what is not said."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    client_name: Annotated[str, Field(max_length=MAX_NAME)] | None = None
    """What people read when they are asked to let it in."""
    redirect_uris: Redirects | None = None
    """Where the browser may be sent, compared as they are; of loopback hosts any port."""
    grant_types: WordList | None = None
    response_types: WordList | None = None
    token_endpoint_auth_method: Words | None = None
    """How it proves who it is."""
    token_endpoint_auth_signing_alg: Words | None = None
    application_type: Words | None = None
    """`web` or `native`."""
    scope: Annotated[str, Field(max_length=MAX_SCOPE)] | None = None
    """The scopes that it may have at most, between spaces; without it every scope that people consent to."""
    client_uri: Uri | None = None
    logo_uri: Uri | None = None
    policy_uri: Uri | None = None
    tos_uri: Uri | None = None
    contacts: WordList | None = None
    jwks: dict[str, Any] | None = None
    """Its public keys."""
    jwks_uri: Uri | None = None
    """Where it publishes them instead."""
    software_id: Words | None = None
    software_version: Words | None = None
    subject_type: Words | None = None
    """`public` or `pairwise`."""
    sector_identifier_uri: Uri | None = None
    id_token_signed_response_alg: Words | None = None
    userinfo_signed_response_alg: Words | None = None
    introspection_signed_response_alg: Words | None = None
    authorization_signed_response_alg: Words | None = None
    """What signs answers with `response_mode=jwt`; with the profile `fapi2` it takes no others."""
    request_object_signing_alg: Words | None = None
    request_uris: Redirects | None = None
    require_signed_request_object: bool | None = None
    require_pushed_authorization_requests: bool | None = None
    default_max_age: Seconds | None = None
    require_auth_time: bool | None = None
    default_acr_values: WordList | None = None
    initiate_login_uri: Uri | None = None
    post_logout_redirect_uris: Redirects | None = None
    backchannel_logout_uri: Uri | None = None
    backchannel_logout_session_required: bool | None = None
    frontchannel_logout_uri: Uri | None = None
    frontchannel_logout_session_required: bool | None = None
    dpop_bound_access_tokens: bool | None = None
    tls_client_auth_subject_dn: Words | None = None
    tls_client_auth_san_dns: Words | None = None
    tls_client_auth_san_uri: Words | None = None
    tls_client_auth_san_ip: Words | None = None
    tls_client_auth_san_email: Words | None = None
    tls_client_certificate_bound_access_tokens: bool | None = None
    authorization_details_types: WordList | None = None

    def metadata(self) -> dict[str, Any]:
        """Return the members that the request names; null takes one away."""
        return {name: value for name, value in self.model_dump(exclude_unset=True).items() if name in READERS}


class OrganizationPolicyMembers(RequestModel):
    """What an organization decides of its own client; null brings back what everybody has."""

    claims_in_id_token: bool | None = None
    """Whether the ID token also has what scopes ask for, for clients that read nothing else."""
    token_format: Format | None = None
    """`jwt`, which APIs read by themselves, or `opaque`, which they ask about."""
    access_token_seconds: TokenSeconds | None = None
    refresh_idle_seconds: RefreshSeconds | None = None
    """How long a refresh token is good that nobody uses."""
    refresh_absolute_seconds: RefreshSeconds | None = None
    """How long a line of refresh tokens is good at most."""
    profile: Annotated[Profile, Field(strict=False)] | None = None
    """`fapi2` holds it to the FAPI 2.0 Security Profile."""

    def sent(self) -> dict[str, Any]:
        """Return the fields that the request names."""
        return self.model_dump(exclude_unset=True)


class PolicyMembers(OrganizationPolicyMembers):
    """What an administrator decides of a client; null brings back what everybody has."""

    requires_pkce: bool | None = None
    """Off only for clients with a secret or key that check a nonce instead (OAuth 2.1, section 7.5.2)."""
    is_trusted: bool | None = None
    """The team's own: nobody is asked for consent."""
    accepts_legacy_audience: bool | None = None
    """Its assertions may name the token endpoint instead of the issuer."""
    resources: Urls | None = None
    """The APIs that it may ask tokens for; null: every one."""
    exchanges_to: Urls | None = None
    """Audiences for which it may exchange others' tokens."""


class CreateClientRequest(ClientMembers, RequestModel):
    """A client as an administrator wishes for it: its kind says how it begins, its members what is otherwise."""

    kind: Annotated[ClientKind, Field(strict=False)] | None = None
    """Sets grant types, authentication and the like, where they are not said; without it RFC 7591's defaults."""
    policy: PolicyMembers | None = None


class UpdateClientRequest(ClientMembers, RequestModel):
    """What of a client is changed; members that are not named stay, null takes one away."""

    policy: PolicyMembers | None = None


class CreateOrganizationClientRequest(ClientMembers, RequestModel):
    """A client of an organization's own."""

    kind: Annotated[ClientKind, Field(strict=False)] | None = None
    """Sets grant types, authentication and the like, where they are not said; without it RFC 7591's defaults."""
    policy: OrganizationPolicyMembers | None = None


class UpdateOrganizationClientRequest(ClientMembers, RequestModel):
    """What of an organization's client is changed; members that are not named stay, null takes one away."""

    policy: OrganizationPolicyMembers | None = None


class RotateSecretRequest(RequestModel):
    """How long the secrets before stay good."""

    overlap_hours: int | None = Field(None, ge=0, le=LONGEST_OVERLAP_HOURS)
    """In hours, at most 30 days; by default a day (`oauth.secret_overlap`). 0 ends them at once."""

    def overlap(self) -> timedelta | None:
        """Return it, None for that of the settings."""
        return None if self.overlap_hours is None else timedelta(hours=self.overlap_hours)


class OwnClientListQuery(PageQuery):
    """Which clients, the newest first. `q` is looked for in the name; or it is how a client id begins."""

    sort_by: ClientSort = ClientSort.CREATED_AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""
    disabled: bool | None = None
    """Only those that are switched off, or on."""


class ClientListQuery(OwnClientListQuery):
    """Which clients of the deployment."""

    source: ClientSource | None = None
    """Only those that come from there."""
    organization_id: UUID | None = None
    """Only the own ones of this organization."""


class GrantListQuery(PageQuery):
    """Which grants of a client, the newest first."""

    sort_by: ClientSort = ClientSort.CREATED_AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""
    living: bool | None = None
    """Only those that are not over, or only those that are."""


class ClientSecretResponse(ResponseModel):
    """A secret without its text."""

    id: UUID
    hint: str
    """The beginning of its text."""
    created_at: datetime
    expires_at: datetime | None
    """Null: it has no end."""


class PolicyResponse(ResponseModel):
    """What is decided of a client, whatever it says of itself."""

    requires_pkce: bool
    is_trusted: bool
    claims_in_id_token: bool
    token_format: TokenFormat
    access_token_seconds: int | None
    refresh_idle_seconds: int | None
    refresh_absolute_seconds: int | None
    accepts_legacy_audience: bool
    profile: Profile
    resources: list[str] | None
    exchanges_to: list[str]


class ClientSummaryResponse(ResponseModel):
    """A client in a list."""

    key: UUID
    """What it is called in paths."""
    client_id: str
    """What protocols call it."""
    client_name: str | None
    source: ClientSource
    organization_id: UUID | None
    """Whose own it is; null where it is no organization's."""
    grant_types: list[str]
    token_endpoint_auth_method: str
    disabled_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime
    version: int

    @classmethod
    def of(cls, row: OAuthClient) -> Self:
        """Return a client as lists show it."""
        return cls(
            key=row.id,
            client_name=row.name,
            grant_types=row.registered.get("grant_types", []),
            token_endpoint_auth_method=row.registered["token_endpoint_auth_method"],
            **{name: getattr(row, name) for name in _IN_LISTS},
        )


_IN_LISTS = (
    "client_id", "source", "organization_id", "disabled_at", "last_used_at", "created_at", "version",
)  # fmt: skip
_ALONE = (*_IN_LISTS, "created_by", "document_good_until", "updated_at")


class ClientResponse(ClientMembers, ResponseModel):
    """A client: its metadata, what is decided of it, and its secrets without their texts."""

    key: UUID
    """What it is called in paths."""
    client_id: str
    """What protocols call it."""
    source: ClientSource
    organization_id: UUID | None
    """Whose own it is; null where it is no organization's."""
    policy: PolicyResponse
    secrets: list[ClientSecretResponse]
    """Those that it may show, the newest first."""
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None
    disabled_at: datetime | None
    document_good_until: datetime | None
    """Until when its metadata document is believed; null where it has none."""
    version: int
    client_secret: str | None = None
    """A new secret, shown this once."""
    client_secret_expires_at: int | None = None
    """When it ends, in seconds since 1970; 0 if it has no end (RFC 7591, section 3.2.1)."""

    @classmethod
    def of(
        cls, row: OAuthClient, secrets: list[ClientSecretResponse], issued: IssuedSecret | None = None
    ) -> Self:
        """Return a client as its administrators see it."""
        return cls(
            **row.registered,
            key=row.id,
            policy=PolicyResponse.model_validate(ClientPolicy.of(row.policy).as_document()),
            secrets=secrets,
            client_secret=issued.text if issued else None,
            client_secret_expires_at=ends_at(issued) if issued else None,
            **{name: getattr(row, name) for name in _ALONE},
        )


class IssuedSecretResponse(ResponseModel):
    """A new secret; `client_secret` is its text, shown this once."""

    client_id: str
    client_secret: str
    client_secret_expires_at: int
    """When it ends, in seconds since 1970; 0 if it has no end (RFC 7591, section 3.2.1)."""
    previous_until: datetime
    """When the secrets before it end at the latest."""


def secret_of(row: OAuthClientSecret) -> ClientSecretResponse:
    """Return a secret as it is listed."""
    return ClientSecretResponse.model_validate(row)


def ends_at(issued: IssuedSecret) -> int:
    """Return when a secret ends as RFC 7591, section 3.2.1, writes it."""
    return 0 if issued.expires_at is None else int(issued.expires_at.timestamp())


class ClientGrantResponse(ResponseModel):
    """Something that was granted to a client; never a token."""

    id: UUID
    user_id: UUID | None
    """Who gave it; null where the client acts for itself."""
    organization_id: UUID | None
    kind: GrantType
    scope: str
    resources: list[str]
    is_offline: bool
    """Whether it outlives the session in which it was given."""
    created_at: datetime
    last_used_at: datetime | None
    ended_at: datetime | None
    ended_reason: GrantEnd | None

    @classmethod
    def of(cls, row: OAuthGrant) -> Self:
        """Return a grant as administrators see it."""
        return cls.model_validate(row)


class ResourceListQuery(PageQuery):
    """Which resources, the newest first. `q` is looked for in name and identifier."""

    sort_by: ClientSort = ClientSort.CREATED_AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""


class ResourceMembers(RequestModel):
    """What is said of an API."""

    name: Annotated[str, Field(max_length=200), AfterValidator(_readable)] = ""
    """What people read."""
    scopes: Scopes = Field(default={})
    """Scope to what it means in plain words."""
    default_scope: Annotated[str, Field(max_length=MAX_SCOPE)] = ""
    """What a request without `scope` gets; all scopes if empty."""
    token_format: Format | None = None
    """What its tokens look like, whatever the client's setting says."""
    access_token_seconds: TokenSeconds | None = None
    requires_dpop: bool = False
    """Whether tokens for it must be bound to a key of the client's."""
    introspected_by: Annotated[list[Url], Field(max_length=MOST_RESOURCES)] = Field(default=[])
    """Client ids that may ask about its tokens."""

    def sent(self) -> dict[str, Any]:
        """Return the fields that the request names."""
        return self.model_dump(exclude_unset=True)


class CreateResourceRequest(ResourceMembers):
    """An API that tokens can be asked for."""

    identifier: Url
    """Its URL, and the audience of its tokens, as it stands here."""


class UpdateResourceRequest(ResourceMembers):
    """What of an API is changed. Its identifier cannot: tokens carry it."""


class ResourceResponse(ResponseModel):
    """An API that tokens can be asked for."""

    id: UUID
    identifier: str
    name: str
    scopes: dict[str, str]
    default_scope: str
    token_format: TokenFormat | None
    access_token_seconds: int | None
    requires_dpop: bool
    introspected_by: list[str]
    created_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, row: OAuthResource) -> Self:
        """Return an API as administrators see it."""
        return cls.model_validate(row)


class CreateInitialTokenRequest(RequestModel):
    """Leave for somebody to register clients."""

    name: Name
    """Who gets it, or what for."""
    uses: int | None = Field(None, ge=1, le=1_000_000)
    """How many clients may be registered with it; without a number as many as one likes while it lives."""
    lifetime_hours: int = Field(168, ge=1, le=8_760)
    """How long it is good."""


class InitialTokenResponse(ResponseModel):
    """An initial access token without its text."""

    id: UUID
    name: str
    uses_left: int | None
    created_at: datetime
    expires_at: datetime


class InitialTokensResponse(ResponseModel):
    """Those that are still good, the newest first."""

    data: list[InitialTokenResponse]


class IssuedInitialTokenResponse(InitialTokenResponse):
    """A new one; `token` is its text, shown this once."""

    token: str

    @classmethod
    def issued(cls, made: InitialToken) -> Self:
        """Return what its maker gets to see."""
        return cls(**InitialTokenResponse.model_validate(made).model_dump(), token=made.text or "")


class ConnectionResponse(ResponseModel):
    """An application that the caller has connected, and all that he allowed it."""

    client_key: UUID
    client_id: str
    source: ClientSource
    name: str | None
    client_uri: str | None
    scopes: list[str]
    resources: list[str]
    """The APIs that it may ask tokens for."""
    organization_ids: list[UUID]
    """In which organizations it works; it may work in the person's own name only besides."""
    connected_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """Return a connection as its person sees it."""
        return cls(
            client_key=connection.client_key,
            client_id=connection.client_id,
            source=connection.source,
            name=connection.metadata.client_name,
            client_uri=connection.metadata.client_uri,
            scopes=list(connection.scopes),
            resources=list(connection.resources),
            organization_ids=sorted(connection.organizations),
            connected_at=connection.connected_at,
            last_used_at=connection.last_used_at,
        )


class ConnectionsResponse(ResponseModel):
    """Every connection, the last connected first."""

    data: list[ConnectionResponse]


class RuledClientResponse(ResponseModel):
    """An application that works in an organization, or of which something was said there."""

    client_key: UUID
    client_id: str
    source: ClientSource
    name: str | None
    verdict: ClientVerdict | None
    """What was said of it; null: nothing."""
    admission: Admission
    """Whether it is let in, by what was said of it or by the organization's default."""
    asked_by: UUID | None
    """The member who asked for it."""
    decided_by: UUID | None
    people: int
    """How many members have connected it there."""
    connected_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, client: RuledClient) -> Self:
        """Return an application as the organization's administrators see it."""
        facts = client.facts
        return cls(
            client_key=facts.client_key,
            client_id=facts.client_id,
            source=facts.source,
            name=facts.name,
            verdict=facts.verdict,
            admission=client.admission,
            asked_by=facts.asked_by,
            decided_by=facts.decided_by,
            people=facts.people,
            connected_at=facts.connected_at,
            last_used_at=facts.last_used_at,
        )


class OrganizationConnectionsResponse(ResponseModel):
    """What an organization says of applications: of all, and of those that it knows, open questions first."""

    default: ClientDefault
    data: list[RuledClientResponse]


class SetClientDefaultRequest(RequestModel):
    """Say what happens to applications of which nothing was said."""

    default: Annotated[ClientDefault, Field(strict=False)]


class RuleClientRequest(RequestModel):
    """Let an application in, or keep it out."""

    verdict: Literal["allowed", "denied"]

    @property
    def said(self) -> ClientVerdict:
        """Return the word."""
        return ClientVerdict(self.verdict)


class ClientDefaultResponse(ResponseModel):
    """What happens to applications of which nothing was said."""

    default: ClientDefault


class PageConnection(RequestModel):
    """Of which application a button speaks."""

    client_key: UUID = Field(strict=False)


class PageVerdict(PageConnection):
    """What a button says of an application; nothing: forget what was said."""

    verdict: Literal["allowed", "denied"] | None = None

    @property
    def said(self) -> ClientVerdict | None:
        """Return the word."""
        return ClientVerdict(self.verdict) if self.verdict else None
