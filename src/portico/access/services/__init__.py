"""The use cases of rights: granting, deciding, explaining."""

from portico.access.services.authorizing import RoleAuthorizer, acting_for, authorize
from portico.access.services.bounds import covers, require_covered, rules_over
from portico.access.services.explaining import Explanation, Step, explain
from portico.access.services.groups import Groups
from portico.access.services.platform import (
    Grants,
    add_principal,
    has_superuser,
    list_superusers,
    roles_of,
)
from portico.access.services.rights import RightsReader, rights_in
from portico.access.services.tenant_grants import TenantGrants, roles_held
from portico.access.services.tenant_roles import TenantRoles
from portico.access.services.tenants import Tenants, list_owners, tenants_of

__all__ = [
    "Explanation",
    "Grants",
    "Groups",
    "RightsReader",
    "RoleAuthorizer",
    "Step",
    "TenantGrants",
    "TenantRoles",
    "Tenants",
    "acting_for",
    "add_principal",
    "authorize",
    "covers",
    "explain",
    "has_superuser",
    "list_owners",
    "list_superusers",
    "require_covered",
    "rights_in",
    "roles_held",
    "roles_of",
    "rules_over",
    "tenants_of",
]
