"""What the authorization server contributes to the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from portico.access.events import OrganizationRolesChanged
from portico.access.types import OrganizationRole, PlatformRole
from portico.credentials.events import PasswordChanged
from portico.feature import AccountSection, Feature
from portico.http.challenges import ResourceMetadata
from portico.keys.types import SealedColumn
from portico.messaging import on
from portico.oauth.authenticators import ClientTokenAuthenticator
from portico.oauth.jobs import SCHEDULES, tell_signed_out
from portico.oauth.models import OAuthClientSecret
from portico.oauth.pages.connections import PATH as APPLICATIONS, router as connection_pages
from portico.oauth.pages.consent import router as consent_pages
from portico.oauth.pages.device import router as device_pages
from portico.oauth.pages.logout import router as logout_pages
from portico.oauth.pages.organization_rules import TAB, router as organization_rule_pages
from portico.oauth.permissions import OAuthPermission
from portico.oauth.personal_data import OAUTH_PERSONAL_DATA
from portico.oauth.routes.admin_clients import router as admin_client_routes
from portico.oauth.routes.admin_resources import router as admin_resource_routes
from portico.oauth.routes.authorization import router as authorization_routes
from portico.oauth.routes.device_authorization import router as device_routes
from portico.oauth.routes.introspection import router as introspection_routes
from portico.oauth.routes.logout import router as logout_routes
from portico.oauth.routes.metadata import router as metadata_routes
from portico.oauth.routes.organization_clients import router as organization_client_routes
from portico.oauth.routes.organization_rules import router as organization_rule_routes
from portico.oauth.routes.own import router as own_routes
from portico.oauth.routes.pushed_requests import router as pushing_routes
from portico.oauth.routes.registration import router as registration_routes
from portico.oauth.routes.revocation import router as revocation_routes
from portico.oauth.routes.token import router as token_routes
from portico.oauth.routes.userinfo import (
    hot_router as userinfo_hot_routes,
    router as userinfo_routes,
)
from portico.oauth.services.api_callers import ApiCallers
from portico.oauth.services.client_documents import ClientDocuments
from portico.oauth.services.client_keys import ClientKeys
from portico.oauth.services.client_secrets import SEALING_KEY
from portico.oauth.services.clients import ClientBook, DocumentClients
from portico.oauth.services.details import DetailsBook
from portico.oauth.services.id_tokens import IdTokens
from portico.oauth.services.presented_tokens import BelievedTokens
from portico.oauth.services.resources import ResourceBook
from portico.oauth.services.return_addresses import ReturnAddresses
from portico.oauth.services.server_metadata import OwnApiMetadata, ServerMetadata
from portico.oauth.services.trusted_issuers import TrustedIssuers
from portico.oauth.services.userinfo import UserInfo
from portico.oauth.settings import OAuthSettings
from portico.oauth.subscribers import (
    end_grants_after_password_change,
    end_grants_of_closed_account,
    end_grants_of_left_organization,
    end_grants_of_sessions,
    tell_clients_of_sessions,
)
from portico.organizations.organization_pages import Tab
from portico.runtime import Runtime
from portico.sessions.events import SessionsRevoked
from portico.sessions.ports import ClientTokens, SignInDestinations
from portico.users.events import UserClaimed, UserDeactivated, UserDeleted

ONE_A_PROCESS = (
    BelievedTokens,
    ClientBook,
    ClientKeys,
    DetailsBook,
    IdTokens,
    OwnApiMetadata,
    ResourceBook,
    ServerMetadata,
    TrustedIssuers,
    UserInfo,
)


CLIENT_SECRET = SealedColumn(
    column=OAuthClientSecret.sealed,
    key=OAuthClientSecret.id,
    purpose=SEALING_KEY,
    context=lambda secret_id: secret_id.bytes,
)


@asynccontextmanager
async def oauth_lifespan(runtime: Runtime) -> AsyncIterator[None]:
    """Make what remembers clients, resources and documents in this process."""
    for kind in ONE_A_PROCESS:
        runtime.provide(kind, kind(runtime))
    runtime.provide(ResourceMetadata, ResourceMetadata(runtime.get(OwnApiMetadata).url))
    yield


def register_commands(app: Any) -> None:
    """Add `portico client` and `portico resource`; typer is imported only where there is a command line."""
    from portico.oauth.commands import register_commands as register

    register(app)


def oauth_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="oauth",
        settings=OAuthSettings,
        permissions=OAuthPermission,
        roles={
            OrganizationRole.ADMIN: {OAuthPermission.CLIENT_READ, OAuthPermission.CLIENT_MANAGE},
            PlatformRole.SUPPORT: {OAuthPermission.PLATFORM_READ},
            PlatformRole.AUDITOR: {OAuthPermission.PLATFORM_READ},
        },
        routers=[
            admin_client_routes,
            admin_resource_routes,
            organization_client_routes,
            organization_rule_routes,
            own_routes,
        ],
        root_routes=[
            authorization_routes,
            pushing_routes,
            device_routes,
            token_routes,
            revocation_routes,
            introspection_routes,
            userinfo_hot_routes,
            userinfo_routes,
            logout_routes,
            registration_routes,
            metadata_routes,
        ],
        pages=[consent_pages, logout_pages, device_pages, connection_pages, organization_rule_pages],
        account_sections=[
            AccountSection(label="Connected applications", path=APPLICATIONS, order=38, icon="plug")
        ],
        contributes={Tab: [TAB], SealedColumn: [CLIENT_SECRET]},
        authenticators=[ClientTokenAuthenticator],
        ports={
            SignInDestinations: ReturnAddresses,
            DocumentClients: ClientDocuments,
            ClientTokens: ApiCallers,
        },
        subscribers=[
            on(SessionsRevoked, end_grants_of_sessions),
            on(SessionsRevoked, tell_clients_of_sessions),
            on(PasswordChanged, end_grants_after_password_change),
            on(UserDeactivated, end_grants_of_closed_account),
            on(UserDeleted, end_grants_of_closed_account),
            on(UserClaimed, end_grants_of_closed_account),
            on(OrganizationRolesChanged, end_grants_of_left_organization),
        ],
        jobs=[tell_signed_out],
        schedules=SCHEDULES,
        lifespan=oauth_lifespan,
        commands=register_commands,
        personal_data=OAUTH_PERSONAL_DATA,
        templates="portico.oauth",
    )
