"""The API of keys and service accounts."""

from portico.api_keys.routes.admin import router as admin_router
from portico.api_keys.routes.organization import router as organization_router
from portico.api_keys.routes.own import router as own_router
from portico.api_keys.routes.service_accounts import router as service_accounts_router

routers = (own_router, organization_router, service_accounts_router, admin_router)
"""All of them, for the declaration of the feature."""

__all__ = ["routers"]
