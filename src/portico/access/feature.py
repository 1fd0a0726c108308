"""What access contributes to the application."""

from portico.access.permissions import PlatformPermission
from portico.access.services import RoleAuthorizer
from portico.feature import Feature
from portico.http.access import Authorizer


def access_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="access",
        permissions=PlatformPermission,
        ports={Authorizer: RoleAuthorizer},
    )
