"""What the authorization server contributes to the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from portico.access.events import OrganizationRolesChanged
from portico.feature import Feature
from portico.messaging import on
from portico.oauth.authenticators import ClientTokenAuthenticator
from portico.oauth.jobs import SCHEDULES
from portico.oauth.pages.consent import router as consent_pages
from portico.oauth.permissions import OAuthPermission
from portico.oauth.personal_data import OAUTH_PERSONAL_DATA
from portico.oauth.routes.authorization import router as authorization_routes
from portico.oauth.routes.metadata import router as metadata_routes
from portico.oauth.routes.pushed_requests import router as pushing_routes
from portico.oauth.routes.registration import router as registration_routes
from portico.oauth.routes.token import router as token_routes
from portico.oauth.services.api_callers import ApiCallers
from portico.oauth.services.client_documents import ClientDocuments
from portico.oauth.services.client_keys import ClientKeys
from portico.oauth.services.clients import ClientBook, DocumentClients
from portico.oauth.services.details import DetailsBook
from portico.oauth.services.id_tokens import IdTokens
from portico.oauth.services.resources import ResourceBook
from portico.oauth.services.return_addresses import ReturnAddresses
from portico.oauth.services.server_metadata import ServerMetadata
from portico.oauth.settings import OAuthSettings
from portico.oauth.subscribers import (
    end_grants_of_closed_account,
    end_grants_of_left_organization,
    end_grants_of_sessions,
)
from portico.runtime import Runtime
from portico.sessions.events import SessionsRevoked
from portico.sessions.ports import ClientTokens, SignInDestinations
from portico.users.events import UserClaimed, UserDeactivated, UserDeleted

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
        root_routes=[
            authorization_routes,
            pushing_routes,
            token_routes,
            registration_routes,
            metadata_routes,
        ],
        pages=[consent_pages],
        authenticators=[ClientTokenAuthenticator],
        ports={
            SignInDestinations: ReturnAddresses,
            DocumentClients: ClientDocuments,
            ClientTokens: ApiCallers,
        },
        subscribers=[
            on(SessionsRevoked, end_grants_of_sessions),
            on(UserDeactivated, end_grants_of_closed_account),
            on(UserDeleted, end_grants_of_closed_account),
            on(UserClaimed, end_grants_of_closed_account),
            on(OrganizationRolesChanged, end_grants_of_left_organization),
        ],
        schedules=SCHEDULES,
        lifespan=oauth_lifespan,
        personal_data=OAUTH_PERSONAL_DATA,
        templates="portico.oauth",
    )
