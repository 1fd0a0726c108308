"""What the authorization server contributes to the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from portico.feature import Feature
from portico.oauth.pages.consent import router as consent_pages
from portico.oauth.permissions import OAuthPermission
from portico.oauth.routes.authorization import router as authorization_routes
from portico.oauth.routes.metadata import router as metadata_routes
from portico.oauth.routes.token import router as token_routes
from portico.oauth.services.client_keys import ClientKeys
from portico.oauth.services.clients import ClientBook
from portico.oauth.services.details import DetailsBook
from portico.oauth.services.id_tokens import IdTokens
from portico.oauth.services.resources import ResourceBook
from portico.oauth.services.return_addresses import ReturnAddresses
from portico.oauth.services.server_metadata import ServerMetadata
from portico.oauth.settings import OAuthSettings
from portico.runtime import Runtime
from portico.sessions.ports import SignInDestinations

ONE_A_PROCESS = (ClientBook, ClientKeys, DetailsBook, IdTokens, ResourceBook, ServerMetadata)


@asynccontextmanager
async def oauth_lifespan(runtime: Runtime) -> AsyncIterator[None]:
    """Make what remembers clients, resources and documents in this process."""
    for kind in ONE_A_PROCESS:
        runtime.provide(kind, kind(runtime))
    yield


def oauth_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="oauth",
        settings=OAuthSettings,
        permissions=OAuthPermission,
        root_routes=[authorization_routes, token_routes, metadata_routes],
        pages=[consent_pages],
        ports={SignInDestinations: ReturnAddresses},
        lifespan=oauth_lifespan,
        templates="portico.oauth",
    )
