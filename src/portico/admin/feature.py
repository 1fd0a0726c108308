"""What the admin API contributes to the application."""

from portico.access.events import RolesChanged
from portico.admin.permissions import AdminPermission
from portico.admin.roles import PLATFORM_ROLES
from portico.admin.routes import router
from portico.admin.services import Totals
from portico.admin.settings import AdminSettings
from portico.admin.subscribers import keep_an_able_superuser
from portico.feature import Feature
from portico.messaging import on
from portico.runtime import Runtime
from portico.users.events import UserDeactivated


def _totals(runtime: Runtime) -> Totals:
    return Totals(runtime.clock, runtime.section(AdminSettings).remember_totals)


def admin_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="admin",
        settings=AdminSettings,
        permissions=AdminPermission,
        roles=PLATFORM_ROLES,
        routers=[router],
        subscribers=[
            on(UserDeactivated, keep_an_able_superuser),
            on(RolesChanged, keep_an_able_superuser),
        ],
        ports={Totals: _totals},
        templates="portico.admin",
    )
