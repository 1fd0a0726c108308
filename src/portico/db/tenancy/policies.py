"""The second wall, on PostgreSQL: row level security, written by migrations and looked at afterwards.

It binds also who goes round the application's engines, and the owner of the table (`FORCE`); not superusers and roles
with `BYPASSRLS`. The organization is a setting of the transaction (`SET LOCAL`), which ends with it whatever happens
to the connection. Without one nothing is seen and nothing can be added.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text

from portico.db.tenancy.models import COLUMN, tenant_models

SETTING = "portico.organization_id"
POLICY = "portico_tenant"
_INSIDE = f"{COLUMN} = NULLIF(current_setting('{SETTING}', true), '')::uuid"

_WALLS = text(
    "SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS is_forced,"
    " EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = :policy AND p.polcmd = '*'"
    "  AND p.polpermissive AND p.polroles = '{0}' AND p.polwithcheck IS NOT NULL"
    "  AND pg_get_expr(p.polqual, c.oid) = pg_get_expr(p.polwithcheck, c.oid)"
    "  AND pg_get_expr(p.polqual, c.oid) LIKE '%organization_id = %' || :setting || '%') AS has_policy,"
    " (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive) AS policies"
    " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = :column AND NOT a.attisdropped"
    " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')"
    " ORDER BY c.relname"
)


def isolate(op: Any, *tables: str) -> None:
    """Let PostgreSQL keep the rows of these tables apart; in a migration, after the tables are made.

    SQLite has no such thing, and nothing happens there. `op` is Alembic's `op`.
    """
    for quoted in _on_postgres(op, tables):
        op.execute(f"ALTER TABLE {quoted} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {quoted} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {POLICY} ON {quoted} USING ({_INSIDE}) WITH CHECK ({_INSIDE})")


def unisolate(op: Any, *tables: str) -> None:
    """Undo `isolate`."""
    for quoted in _on_postgres(op, tables):
        op.execute(f"DROP POLICY {POLICY} ON {quoted}")
        op.execute(f"ALTER TABLE {quoted} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {quoted} DISABLE ROW LEVEL SECURITY")


@contextmanager
def unforced(op: Any, *tables: str) -> Iterator[None]:
    """Let the owner see all rows of these tables while a migration changes data; others stay bound meanwhile."""
    names = list(_on_postgres(op, tables))
    for quoted in names:
        op.execute(f"ALTER TABLE {quoted} NO FORCE ROW LEVEL SECURITY")
    yield
    for quoted in names:
        op.execute(f"ALTER TABLE {quoted} FORCE ROW LEVEL SECURITY")


def _on_postgres(op: Any, tables: Iterable[str]) -> Iterator[str]:
    dialect = op.get_bind().dialect
    if dialect.name == "postgresql":
        yield from (dialect.identifier_preparer.quote(name) for name in tables)


def open_tables(connection: Connection) -> list[str]:
    """Return the scoped tables there that lack the second wall or have a hole in it; none on SQLite.

    A second permissive policy is a hole: PostgreSQL shows a row that any of them lets through.
    """
    if connection.dialect.name != "postgresql":
        return []
    scoped = tenant_models()
    walls = connection.execute(_WALLS, {"policy": POLICY, "setting": SETTING, "column": COLUMN})
    return [
        wall.name
        for wall in walls
        if wall.name in scoped and not (wall.is_forced and wall.has_policy and wall.policies == 1)
    ]
