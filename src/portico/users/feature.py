"""What people contribute to the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from portico.access.events import RolesChanged
from portico.feature import AccountSection, Feature
from portico.messaging import Schedule, on
from portico.runtime import Runtime
from portico.users.jobs import purge_deleted_users
from portico.users.pages import router as pages_router
from portico.users.permissions import UserPermission
from portico.users.personal_data import USERS_PERSONAL_DATA
from portico.users.profiles import Profiles
from portico.users.routes import email_router, hot_router, router
from portico.users.settings import UsersSettings
from portico.users.subscribers import raise_version


def users_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="users",
        routers=[hot_router, router, email_router],
        pages=[pages_router],
        subscribers=[on(RolesChanged, raise_version)],
        schedules=[Schedule(purge_deleted_users, every=timedelta(hours=1))],
        permissions=UserPermission,
        settings=UsersSettings,
        lifespan=_profiles,
        personal_data=USERS_PERSONAL_DATA,
        account_sections=[
            AccountSection(label="Profile", path="/account", order=10, icon="person"),
            AccountSection(label="Your data", path="/account/data", order=90, icon="archive"),
        ],
        templates="portico.users",
    )


@asynccontextmanager
async def _profiles(runtime: Runtime) -> AsyncIterator[None]:
    """Provide the profiles that are kept ready; they follow the revocation log, which is there by now."""
    runtime.provide(Profiles, Profiles(runtime))
    yield
