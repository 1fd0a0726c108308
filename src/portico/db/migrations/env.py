"""Alembic's entry: runs one chain on the connection that `portico.db.migrator` hands over.

Used by teams' own chains too: `from portico.db.migrations.env import run; run()` is a whole env.py.
"""

from typing import Any, Literal

from alembic import context

from portico.db.base import Base
from portico.db.columns import EnumText, JsonDocument, UtcDateTime
from portico.db.tenancy.drafting import write_walls
from portico.db.tenancy.models import OrganizationKey


def render_item(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    """Write our column types as plain ones, so that old migrations do not depend on today's code."""
    if kind != "type":
        return False
    if isinstance(item, OrganizationKey):
        return "sa.Uuid()"
    if isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, EnumText):
        return f"sa.String(length={item.length})"
    if item is JsonDocument:
        autogen.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


def run() -> None:
    """Run the migrations of the chain on the given connection; offline use is not supported."""
    options = context.config.attributes
    connection = options["connection"]
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table=options["version_table"],
        include_object=options["include_object"],
        render_as_batch=options.get("batch", connection.dialect.name == "sqlite"),
        compare_type=True,
        compare_server_default=False,
        render_item=render_item,
        process_revision_directives=write_walls,
    )
    context.run_migrations()


if __name__ == "env_py":  # Alembic's name for the file that it executes; a team's env.py only imports `run`
    run()
