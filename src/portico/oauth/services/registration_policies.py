"""What a client may have, by how it came to us: by itself, by somebody's leave, or by its own document."""

from portico.keys.types import SigningAlgorithm
from portico.oauth.protocol.rfc7591_members import AUTHORIZATION_CODE
from portico.oauth.protocol.rfc7591_registration import (
    AUTH_METHODS,
    DEVICE_CODE,
    GRANT_TYPES,
    REFRESH_TOKEN,
    SECRET_METHODS,
    RegistrationPolicy,
)
from portico.oauth.services.details import DetailsBook
from portico.oauth.services.resources import IDENTITY_SCOPES, ResourceBook
from portico.oauth.settings import OAuthSettings
from portico.runtime import Runtime

ASKING_PEOPLE = frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE})
"""Grants in which a person says yes: all that a client gets whom nobody knows (row 7.5)."""


def offered_auth_methods(settings: OAuthSettings) -> tuple[str, ...]:
    """Return the authentication methods that are on, those of settings among them."""
    methods = list(AUTH_METHODS)
    if settings.client_secret_jwt:
        methods.append("client_secret_jwt")
    if settings.tls_certificate_header is not None:
        methods += ["tls_client_auth", "self_signed_tls_client_auth"]
    return tuple(methods)


async def policy_of_known(runtime: Runtime) -> RegistrationPolicy:
    """Return what a client may have that an administrator made, or that had an initial access token."""
    return await _policy(runtime, frozenset(GRANT_TYPES))


async def policy_of_strangers(runtime: Runtime) -> RegistrationPolicy:
    """Return what a client may have that registered itself without anybody's leave."""
    return await _policy(runtime, ASKING_PEOPLE)


async def policy_of_documents(runtime: Runtime) -> RegistrationPolicy:
    """Return what a client may have that is known by its metadata document: never a secret that both sides know."""
    settings = runtime.section(OAuthSettings)
    methods = tuple(each for each in offered_auth_methods(settings) if each not in SECRET_METHODS)
    return await _policy(runtime, ASKING_PEOPLE, methods)


async def _policy(
    runtime: Runtime, grant_types: frozenset[str], methods: tuple[str, ...] | None = None
) -> RegistrationPolicy:
    settings = runtime.section(OAuthSettings)
    resources = (await runtime.get(ResourceBook).all()).values()
    return RegistrationPolicy(
        grant_types=grant_types,
        auth_methods=methods or offered_auth_methods(settings),
        custom_schemes=frozenset(settings.custom_schemes),
        scopes=frozenset(IDENTITY_SCOPES).union(*(resource.scopes for resource in resources)),
        details_types=frozenset(runtime.get(DetailsBook).types),
        server_algorithms=frozenset(SigningAlgorithm),
        binds_to_certificates=settings.tls_certificate_header is not None,
    )
