"""What stands in the tables themselves: foreign keys that stay inside, and the second wall."""

from collections.abc import AsyncIterator, Iterator

from sqlalchemy import Table

from portico.db.base import Base
from portico.db.tenancy import TenantScoped
from portico.db.tenancy.models import COLUMN, is_tenant_table
from portico.db.tenancy.policies import open_tables
from portico.testing.isolation.scenes import Scene


async def faults_of_structure(scene: Scene) -> AsyncIterator[str]:
    """Yield what is wrong with the model's table."""
    if not issubclass(scene.model, TenantScoped):
        yield f"{scene.model.__name__} is not TenantScoped"
    for fault in (*keys_out(scene.table), *open_children(scene.table)):
        yield fault
    async with scene.runtime.database.reader.connect() as connection:
        if scene.table.name in await connection.run_sync(open_tables):
            yield "row level security does not guard the table: call `isolate` in a migration"


def keys_out(table: Table) -> Iterator[str]:
    """Yield foreign keys to scoped tables that an id of another organization satisfies."""
    for key in table.foreign_key_constraints:
        if is_tenant_table(key.referred_table.name) and COLUMN not in key.column_keys:
            yield f"a foreign key leads to any organization's {key.referred_table.name}: use `within_organization`"


def open_children(table: Table) -> Iterator[str]:
    """Yield tables whose rows hang on this one's and belong to nobody."""
    for other in Base.metadata.tables.values():
        leads_here = any(key.referred_table is table for key in other.foreign_key_constraints)
        if leads_here and not is_tenant_table(other.name):
            yield f"rows of {other.name} hang on its rows and are seen by all: make the model TenantScoped"
