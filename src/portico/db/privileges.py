"""What the application's role may do on PostgreSQL: read and write rows, and nothing else.

With an owner URL two roles share the database: one owns the tables and migrates, the other one serves. `portico
migrate` gives the second exactly what stands here, in the transaction that makes the tables, so that there is no
moment in which it may do more. It owns nothing, or row level security and append-only tables would not bind it.
Source: ASVS 5.0 V13.2.2.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.core.settings import Settings
from portico.db.base import Base
from portico.db.chains import Chain
from portico.db.database import database_url

APPEND_ONLY = "append_only"
"""Key of `Table.info`: rows are added and read, never changed: `__table_args__ = ({"info": {APPEND_ONLY: True}},)`."""

READ = "SELECT"
APPEND = "SELECT, INSERT"
WRITE = "SELECT, INSERT, UPDATE, DELETE"
COUNT = "USAGE, SELECT"

_OURS = text(
    "SELECT relname, relkind = 'S' AS is_sequence FROM pg_class"
    " WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'S')"
    " AND pg_has_role(relowner, 'USAGE') ORDER BY relname"
)
_SCHEMA = text(
    "SELECT current_schema() AS name, has_schema_privilege(:role, current_schema(), 'USAGE') AS is_open,"
    " has_schema_privilege(:role, current_schema(), 'CREATE') AS is_too_open"
)
_ROLE = text(
    "SELECT rolname AS name, rolsuper AS is_superuser, rolbypassrls AS bypasses_rls FROM pg_roles"
    " WHERE rolname = current_user"
)
_OWNED = text(
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"
    " AND pg_has_role(relowner, 'MEMBER') ORDER BY relname"
)


@dataclass(frozen=True, slots=True)
class ApplicationRole:
    """The role by which the application is connected, as PostgreSQL sees it."""

    name: str
    is_superuser: bool
    bypasses_rls: bool
    owned: frozenset[str]
    """Tables of the schema that it owns, itself or as a member of their owner."""

    @property
    def excess(self) -> str | None:
        """Return in a few words what it may do beyond its work, or None."""
        if self.is_superuser:
            return "is a superuser"
        if self.bypasses_rls:
            return "bypasses row level security"
        return f"owns {len(self.owned)} tables" if self.owned else None


def application_role(settings: Settings) -> str | None:
    """Return the role that serves, where another one owns the tables; else None, and nothing is granted."""
    application, owner = database_url(settings), database_url(settings, owner=True)
    if application.get_backend_name() != "postgresql" or application.username == owner.username:
        return None
    return application.username


async def look_at_role(connection: AsyncConnection) -> ApplicationRole:
    """Return the role of a connection to PostgreSQL, and what it owns."""
    row = (await connection.execute(_ROLE)).one()
    owned = (await connection.scalars(_OWNED)).all()
    return ApplicationRole(row.name, row.is_superuser, row.bypasses_rls, frozenset(owned))


def grant_privileges(connection: Connection, role: str, chains: Sequence[Chain]) -> None:
    """Give `role` what it needs for the tables of `chains` and those of the metadata, and take all else away.

    To be called by the owner inside the transaction that changed the tables. Later tables that no chain knows of
    (made by hand) can be read and written too.
    """
    for chain in chains:
        chain.import_models()
    for statement in _statements(connection, role, chains):
        connection.exec_driver_sql(statement)


def _statements(connection: Connection, role: str, chains: Sequence[Chain]) -> Iterator[str]:
    quote = connection.dialect.identifier_preparer.quote_identifier
    opened = connection.execute(_SCHEMA, {"role": role}).one()
    grantee, schema = quote(role), quote(opened.name)
    if opened.is_too_open:
        yield f"REVOKE CREATE ON SCHEMA {schema} FROM {grantee}, PUBLIC"
    if not opened.is_open:
        yield f"GRANT USAGE ON SCHEMA {schema} TO {grantee}"
    later = f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT"
    yield f"{later} {WRITE} ON TABLES TO {grantee}"
    yield f"{later} {COUNT} ON SEQUENCES TO {grantee}"
    ours = connection.execute(_OURS).all()
    sequences = [row.relname for row in ours if row.is_sequence]
    needed = _needed((row.relname for row in ours if not row.is_sequence), chains)
    for kind, privileges, names in (
        ("SEQUENCE", COUNT, sequences),
        *(("TABLE", *item) for item in needed.items()),
    ):
        if names:
            objects = ", ".join(f"{schema}.{quote(name)}" for name in names)
            yield f"REVOKE ALL ON {kind} {objects} FROM {grantee}"
            yield f"GRANT {privileges} ON {kind} {objects} TO {grantee}"


def _needed(existing: Iterable[str], chains: Sequence[Chain]) -> dict[str, list[str]]:
    """Return which tables of the product need which privileges; others in the schema are nobody's business."""
    needed: dict[str, list[str]] = {}
    versions = {chain.version_table for chain in chains}
    for name in existing:
        table = Base.metadata.tables.get(name)
        if name in versions:
            needed.setdefault(READ, []).append(name)
        elif table is not None or any(chain.owns(name) for chain in chains):
            is_append_only = table is not None and table.info.get(APPEND_ONLY)
            needed.setdefault(APPEND if is_append_only else WRITE, []).append(name)
    return needed
