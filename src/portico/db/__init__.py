"""The database floor: engines, the unit of work, reads, repositories, column types, migrations.

Only this floor commits. Features import `Base`, the mixins and column types from here, their services get a
`Unit` and `Reads`, their repositories derive from `Repository`.
"""

from portico.db.base import Base, NamedTable
from portico.db.columns import BigId, EnumText, JsonDocument, UtcDateTime
from portico.db.database import Database
from portico.db.mixins import Identified, SoftDeleted, Timestamped, Versioned
from portico.db.repositories import Repository
from portico.db.tenancy import TenantScoped, within_organization
from portico.db.unit import DatabaseSession, Reads, Unit

__all__ = [
    "Base",
    "BigId",
    "Database",
    "DatabaseSession",
    "EnumText",
    "Identified",
    "JsonDocument",
    "NamedTable",
    "Reads",
    "Repository",
    "SoftDeleted",
    "TenantScoped",
    "Timestamped",
    "Unit",
    "UtcDateTime",
    "Versioned",
    "within_organization",
]
