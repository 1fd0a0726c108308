"""Every SQL statement of rights."""

from portico.access.repositories.platform import GrantRepository, PrincipalRepository
from portico.access.repositories.rights import RightsRepository
from portico.access.repositories.tenants import (
    GroupRepository,
    TenantGrantRepository,
    TenantRepository,
    TenantRoleRepository,
)

__all__ = [
    "GrantRepository",
    "GroupRepository",
    "PrincipalRepository",
    "RightsRepository",
    "TenantGrantRepository",
    "TenantRepository",
    "TenantRoleRepository",
]
