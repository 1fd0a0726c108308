"""Tables whose rows belong to one organization each, and the walls between the organizations.

The first wall stands in every statement that the application's engines compile: a table of a `TenantScoped` model is
only ever seen through a window, `(SELECT * FROM documents WHERE organization_id = …)`, a change or a deletion carries
the same condition, and a new row is stamped. The organization comes from the unit of work or the reads, which were
opened for it (`runtime.unit(organization_id)`); what was not opened for one is refused. The second wall, on
PostgreSQL, is row level security. `docs/decisions/0030-windows-between-organizations.md` says why it is built so.
"""

from portico.db.tenancy.errors import TenantError, TenantMissing, TenantRefused
from portico.db.tenancy.models import TenantScoped, within_organization
from portico.db.tenancy.policies import isolate, unforced, unisolate
from portico.db.tenancy.walking import every_organization

__all__ = [
    "TenantError",
    "TenantMissing",
    "TenantRefused",
    "TenantScoped",
    "every_organization",
    "isolate",
    "unforced",
    "unisolate",
    "within_organization",
]
