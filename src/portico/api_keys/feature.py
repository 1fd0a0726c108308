"""What API keys contribute to the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from portico.access.events import OrganizationRolesChanged
from portico.access.types import OrganizationRole, PlatformRole
from portico.api_keys.authenticators import ApiKeyAuthenticator, ApiKeyAuthority
from portico.api_keys.jobs import PERIODICS, SCHEDULES
from portico.api_keys.pages import routers as page_routers
from portico.api_keys.pages.account import PATH
from portico.api_keys.permissions import ApiKeyPermission
from portico.api_keys.personal_data import API_KEYS_PERSONAL_DATA
from portico.api_keys.routes import routers
from portico.api_keys.services import BelievedKeys
from portico.api_keys.settings import ApiKeysSettings
from portico.api_keys.subscribers import (
    end_keys_of_claimed_account,
    end_keys_of_closed_account,
    end_keys_of_left_organization,
)
from portico.feature import AccountSection, Feature
from portico.http.authentication import KeyAuthority
from portico.messaging import on
from portico.runtime import Runtime
from portico.users.events import UserClaimed, UserDeactivated, UserDeleted


@asynccontextmanager
async def api_keys_lifespan(runtime: Runtime) -> AsyncIterator[None]:
    """Make what remembers keys in this process."""
    runtime.provide(BelievedKeys, BelievedKeys(runtime))
    yield


def register_commands(app: Any) -> None:
    """Add `portico api-keys` and `portico service-accounts`; typer is imported only where there is a command line."""
    from portico.api_keys.commands import register_commands as register

    register(app)


def api_keys_feature() -> Feature:
    """Return the declaration."""
    of_accounts = {ApiKeyPermission.SERVICE_ACCOUNT_READ, ApiKeyPermission.SERVICE_ACCOUNT_MANAGE}
    return Feature(
        name="api_keys",
        settings=ApiKeysSettings,
        permissions=ApiKeyPermission,
        roles={
            OrganizationRole.ADMIN: of_accounts,
            PlatformRole.SUPPORT: {ApiKeyPermission.PLATFORM_READ},
            PlatformRole.AUDITOR: {ApiKeyPermission.PLATFORM_READ},
        },
        routers=routers,
        authenticators=[ApiKeyAuthenticator],
        ports={KeyAuthority: ApiKeyAuthority},
        subscribers=[
            on(UserDeactivated, end_keys_of_closed_account),
            on(UserDeleted, end_keys_of_closed_account),
            on(UserClaimed, end_keys_of_claimed_account),
            on(OrganizationRolesChanged, end_keys_of_left_organization),
        ],
        schedules=SCHEDULES,
        periodics=PERIODICS,
        lifespan=api_keys_lifespan,
        commands=register_commands,
        personal_data=API_KEYS_PERSONAL_DATA,
        pages=page_routers,
        account_sections=[AccountSection(label="API keys", path=PATH, order=40, icon="terminal")],
        templates="portico.api_keys",
    )
