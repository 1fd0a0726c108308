"""Clients, as administrators and organizations send and see them.

A client is one flat object: the members of its metadata under the names that RFC 7591 gives them, beside what we know
and decide of it. What a value may be is judged by the protocol (`protocol.rfc7591_registration`); here is only its
type.
"""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from portico.http.pagination import PageQuery, SortOrder
from portico.http.schemas import RequestModel, ResponseModel
from portico.oauth.models import OAuthClient
from portico.oauth.protocol.rfc7591_members import READERS
from portico.oauth.protocol.rfc7591_values import MAX_NAME
from portico.oauth.protocol.scopes import MAX_SCOPE
from portico.oauth.schemas.policies import OrganizationPolicyMembers, PolicyMembers, PolicyResponse
from portico.oauth.schemas.secrets import ClientSecretResponse, ends_at
from portico.oauth.schemas.values import Redirects, Seconds, Uri, WordList, Words
from portico.oauth.services.client_secrets import IssuedSecret
from portico.oauth.types import ClientKind, ClientPolicy, ClientSort, ClientSource


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
)  # fmt: skip  # fmt: skip
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
