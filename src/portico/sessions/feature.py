"""What sessions contribute to the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from portico.access.events import RolesChanged
from portico.access.types import PlatformRole
from portico.coordination.revocations import RevocationLog
from portico.credentials.events import PasswordChanged
from portico.feature import AccountSection, Feature
from portico.messaging import Periodic, Schedule, on
from portico.runtime import Runtime
from portico.sessions.authenticators import BearerAuthenticator, CookieAuthenticator
from portico.sessions.events import ImpersonationStarted, SessionCreated
from portico.sessions.jobs import (
    end_expired_impersonations,
    note_use_of_sessions,
    sweep_outlived_sessions,
)
from portico.sessions.pages import routers as page_routers
from portico.sessions.permissions import SessionPermission
from portico.sessions.personal_data import SESSIONS_PERSONAL_DATA
from portico.sessions.places import Places, places_from
from portico.sessions.routes import hot_router, router
from portico.sessions.services import AccessTokens, BelievedPrincipals, PageCookies
from portico.sessions.settings import SessionsSettings
from portico.sessions.subscribers import (
    end_session_of_replayed_token,
    end_sessions_after_password_change,
    end_sessions_of_claimed_account,
    end_sessions_of_closed_account,
    end_unfounded_impersonations,
    tell_of_impersonation,
    tell_of_new_device,
)
from portico.tokens.events import RefreshTokenReused
from portico.users.events import UserClaimed, UserDeactivated, UserDeleted


@asynccontextmanager
async def sessions_lifespan(runtime: Runtime) -> AsyncIterator[None]:
    """Make what verifies credentials in this process."""
    settings = runtime.section(SessionsSettings)
    believed = BelievedPrincipals(
        runtime.clock, runtime.get(RevocationLog), max_entries=settings.cached_credentials
    )
    runtime.provide(BelievedPrincipals, believed)
    runtime.provide(AccessTokens, AccessTokens(runtime, believed))
    runtime.provide(PageCookies, PageCookies(runtime, believed))
    yield


def sessions_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="sessions",
        settings=SessionsSettings,
        permissions=SessionPermission,
        roles={PlatformRole.SUPPORT: {SessionPermission.IMPERSONATE}},
        routers=[hot_router, router],
        pages=page_routers,
        authenticators=[BearerAuthenticator, CookieAuthenticator],
        subscribers=[
            on(PasswordChanged, end_sessions_after_password_change),
            on(UserClaimed, end_sessions_of_claimed_account),
            on(UserDeactivated, end_sessions_of_closed_account),
            on(UserDeleted, end_sessions_of_closed_account),
            on(RefreshTokenReused, end_session_of_replayed_token),
            on(SessionCreated, tell_of_new_device),
            on(ImpersonationStarted, tell_of_impersonation),
            on(RolesChanged, end_unfounded_impersonations),
        ],
        periodics=[
            Periodic("sessions.note_use", every=timedelta(seconds=30), run=note_use_of_sessions),
        ],
        schedules=[
            Schedule(sweep_outlived_sessions, every=timedelta(hours=1)),
            Schedule(end_expired_impersonations, every=timedelta(minutes=5)),
        ],
        ports={Places: lambda runtime: places_from(runtime.section(SessionsSettings).geoip_database)},
        lifespan=sessions_lifespan,
        personal_data=SESSIONS_PERSONAL_DATA,
        account_sections=[
            AccountSection(label="Password", path="/account/password", order=20, icon="key"),
            AccountSection(label="Devices", path="/account/devices", order=30, icon="desktop"),
        ],
        templates="portico.sessions",
    )
