"""What the authorization server says of itself, made anew only when something it speaks of changed."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from portico.core.crypto import b64encode
from portico.oauth.protocol.jose import ASYMMETRIC
from portico.oauth.protocol.oidc_claims import SCOPE_CLAIMS
from portico.oauth.protocol.rfc8414_metadata import Abilities, server_metadata
from portico.oauth.protocol.rfc9449_dpop import ALGORITHMS
from portico.oauth.protocol.rfc9728_protected_resources import (
    ResourceDescription,
    document_url,
    resource_metadata,
)
from portico.oauth.services.details import DetailsBook
from portico.oauth.services.id_tokens import PURPOSES
from portico.oauth.services.resources import IDENTITY_SCOPES, OVER_PLATFORM, Resource, ResourceBook, own_api
from portico.oauth.services.token_grants import GRANTS
from portico.oauth.settings import DynamicRegistration, OAuthSettings
from portico.oauth.types import AuthMethod, GrantType
from portico.runtime import Runtime

ENDPOINTS = {
    "authorization_endpoint": "/oauth/authorize",
    "token_endpoint": "/oauth/token",
    "userinfo_endpoint": "/oauth/userinfo",
    "revocation_endpoint": "/oauth/revoke",
    "introspection_endpoint": "/oauth/introspect",
    "pushed_authorization_request_endpoint": "/oauth/par",
    "device_authorization_endpoint": "/oauth/device_authorization",
    "end_session_endpoint": "/oauth/logout",
}
OF_CERTIFICATES = ("token", "revocation", "introspection", "pushed_authorization_request", "userinfo")
OWN_CLAIMS = ("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash")
KNOWN_CLAIMS = frozenset(
    {"name", "given_name", "family_name", "preferred_username", "zoneinfo", "locale", "updated_at"}
)


class ServerMetadata:
    """The metadata document as bytes; one a process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._resources: tuple[Resource, ...] = ()
        self._body = b""
        self._etag = ""

    async def document(self) -> tuple[bytes, str]:
        """Return the document and its entity tag."""
        resources = tuple((await self._runtime.get(ResourceBook).all()).values())
        if resources != self._resources or not self._body:
            scopes = _scopes(resource.scopes for resource in resources if not _is_own_api(resource.scopes))
            self._body = json.dumps(server_metadata(self._abilities(scopes)), separators=(",", ":")).encode()
            self._etag = f'"{b64encode(hashlib.sha256(self._body).digest()[:16])}"'
            self._resources = resources
        return self._body, self._etag

    def _abilities(self, scopes: tuple[str, ...]) -> Abilities:
        settings = self._runtime.section(OAuthSettings)
        base = self._runtime.settings.public_url
        return Abilities(
            issuer=base,
            endpoints=self._endpoints(base),
            jwks_uri=f"{base}/.well-known/jwks.json",
            scopes=scopes,
            claims=(*OWN_CLAIMS, *_claims()),
            grant_types=tuple(grant.value for grant in GRANTS if grant not in _switched_off(settings)),
            auth_methods=tuple(method.value for method in _methods(settings)),
            client_algorithms=tuple(sorted(ASYMMETRIC)),
            id_token_algorithms=tuple(PURPOSES),
            userinfo_algorithms=tuple(PURPOSES),
            introspection_algorithms=tuple(PURPOSES),
            response_algorithms=tuple(PURPOSES),
            request_object_algorithms=tuple(sorted(ASYMMETRIC)),
            dpop_algorithms=tuple(sorted(ALGORITHMS)),
            acr_values=("aal1",),
            details_types=tuple(self._runtime.get(DetailsBook).types),
            takes_client_documents=settings.client_documents,
            requires_pushed_requests=settings.requires_pushed_requests,
            logs_out_by_frontchannel=True,
            binds_to_certificates=settings.tls_certificate_header is not None,
            tls_endpoints=self._tls_endpoints(settings),
        )

    def _endpoints(self, base: str) -> dict[str, str]:
        endpoints = {name: base + path for name, path in ENDPOINTS.items()}
        if registration_of(self._runtime) is not DynamicRegistration.OFF:
            endpoints["registration_endpoint"] = f"{base}/oauth/register"
        return endpoints

    def _tls_endpoints(self, settings: OAuthSettings) -> dict[str, str] | None:
        alias = settings.tls_alias_url
        if alias is None or settings.tls_certificate_header is None:
            return None
        names = [f"{name}_endpoint" for name in OF_CERTIFICATES]
        return {name: alias.rstrip("/") + ENDPOINTS[name] for name in names}


class OwnApiMetadata:
    """What our own API says of itself as a protected resource, as bytes; one a process.

    Its scopes are those that any client may ask for: what is held over the whole deployment is not advertised.
    """

    def __init__(self, runtime: Runtime) -> None:
        api = own_api(runtime)
        document = resource_metadata(
            ResourceDescription(
                resource=api.identifier,
                authorization_servers=(runtime.settings.public_url,),
                scopes=tuple(scope for scope in api.scopes if not scope.startswith(OVER_PLATFORM)),
                name=api.name,
                dpop_algorithms=tuple(sorted(ALGORITHMS)),
            )
        )
        self.url = document_url(api.identifier)
        self.body = json.dumps(document, separators=(",", ":")).encode()


def registration_of(runtime: Runtime) -> DynamicRegistration:
    """Return who may register clients: by setting, else everybody in development and nobody elsewhere."""
    chosen = runtime.section(OAuthSettings).dynamic_registration
    if chosen is not None:
        return chosen
    return DynamicRegistration.OPEN if runtime.settings.is_development else DynamicRegistration.OFF


def _switched_off(settings: OAuthSettings) -> frozenset[GrantType]:
    return frozenset() if settings.trusted_issuers else frozenset({GrantType.JWT_BEARER})


def _methods(settings: OAuthSettings) -> list[AuthMethod]:
    off = set()
    if not settings.client_secret_jwt:
        off.add(AuthMethod.SECRET_JWT)
    if settings.tls_certificate_header is None:
        off |= {AuthMethod.TLS, AuthMethod.SELF_SIGNED_TLS}
    return [method for method in AuthMethod if method not in off]


def _scopes(of_resources: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*IDENTITY_SCOPES, *(scope for scopes in of_resources for scope in scopes)]))


def _is_own_api(scopes: Any) -> bool:
    """Our own API has a scope for every permission; they stand in its own metadata, not in everybody's."""
    return "user:self:read" in scopes


def _claims() -> list[str]:
    return [
        claim
        for scope, claims in SCOPE_CLAIMS.items()
        for claim in claims
        if scope == "email" or claim in KNOWN_CLAIMS
    ]
