"""What rights contribute to the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from portico.access.permissions import PlatformPermission
from portico.access.roles import RoleBook
from portico.access.services import RightsReader, RoleAuthorizer
from portico.access.types import PlatformRole
from portico.feature import Feature
from portico.http.access import Authorizer
from portico.http.permissions import HealthPermission
from portico.runtime import Runtime


@asynccontextmanager
async def access_lifespan(runtime: Runtime) -> AsyncIterator[None]:
    """Make what remembers rights in this process."""
    runtime.provide(RightsReader, RightsReader(runtime))
    yield


def access_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="access",
        permissions=PlatformPermission,
        roles={
            PlatformRole.SUPPORT: {PlatformPermission.ROLE_READ, HealthPermission.READ},
            PlatformRole.AUDITOR: {PlatformPermission.ROLE_READ, HealthPermission.READ},
        },
        ports={RoleBook: RoleBook.of, Authorizer: RoleAuthorizer},
        lifespan=access_lifespan,
    )
