"""The mixin of models whose rows belong to an organization, and which models there are."""

import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Table, UniqueConstraint, Uuid
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Mapped, mapped_column

from portico.db.tenancy.errors import TenantMissing, TenantRefused

ORGANIZATIONS = "portico_organizations"
COLUMN = "organization_id"
ORGANIZATION = "portico_organization"
"""The execution option that carries an organization's id with a connection, and the parameter that gets it."""
PROBE = "portico_probed_window"
"""A table that does not exist: by it the wall is tried out at the start of a process."""

_models: dict[str, type] = {PROBE: object}
_spellings: set[str] = {PROBE}
"""Their names in lower case: to SQLite all spellings are the same table."""
_pattern = re.compile(PROBE)


class OrganizationKey(Uuid[UUID]):
    """The type of `organization_id`, by which the values written there are recognised."""


def _stamp(context: Any) -> UUID:
    return organization_of(context.root_connection, ())


class TenantScoped:
    """Mixin: each row belongs to one organization and is only seen from inside of it.

    The column is filled in by itself. A unique constraint over organization and primary key is added: foreign keys of
    other scoped tables lead to it (`within_organization`), and lists by key run along it. Every further index should
    begin with `organization_id`.
    """

    organization_id: Mapped[UUID] = mapped_column(
        OrganizationKey, ForeignKey(f"{ORGANIZATIONS}.id", ondelete="CASCADE"), default=_stamp, sort_order=-5
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        table = getattr(cls, "__table__", None)
        if isinstance(table, Table) and table.name not in _models:
            _register(cls, table)


def _register(model: type, table: Table) -> None:
    global _pattern  # noqa: PLW0603 - compiled anew with each model, which are made at import
    if COLUMN not in table.c:
        raise TypeError(f"{model.__name__}: a scoped table holds {COLUMN} itself, not by inheritance")
    if table.schema is not None:
        raise TypeError(f"{model.__name__}: a scoped table stands in the default schema")
    keys = [column.name for column in table.primary_key]
    if COLUMN not in keys:
        table.append_constraint(UniqueConstraint(COLUMN, *keys))
    _models[table.name] = model
    _spellings.add(table.name.lower())
    _pattern = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, _models))})(?!\w)", re.IGNORECASE)


def within_organization(
    columns: str | Iterable[str], references: str | Iterable[str], *, ondelete: str = "CASCADE"
) -> ForeignKeyConstraint:
    """Return a foreign key that stays inside the organization: `within_organization("folder_id", "folders.id")`.

    To be put into `__table_args__`. A plain foreign key does: the database follows it past all walls, so that
    whoever guesses an id could hang a row of his own on it, and learns that it exists.
    """
    own = [columns] if isinstance(columns, str) else list(columns)
    theirs = [references] if isinstance(references, str) else list(references)
    table = theirs[0].rpartition(".")[0]
    return ForeignKeyConstraint([COLUMN, *own], [f"{table}.{COLUMN}", *theirs], ondelete=ondelete)


def is_tenant_table(name: object) -> bool:
    """Tell whether a table of that name is scoped, in whatever letters it is written."""
    return isinstance(name, str) and name.lower() in _spellings


def tenant_models() -> dict[str, type]:
    """Return the scoped models by the names of their tables."""
    return {name: model for name, model in _models.items() if name != PROBE}


def organization_column(table: Any) -> Column[UUID]:
    """Return the column of a scoped table, however the table was named in the statement.

    Raises:
        TenantRefused: it was named by a word only, and nobody knows its columns.
    """
    if not isinstance(table, Table):
        raise TenantRefused(f"{model_name(table.name)} is written by a bare word: use the model")
    found: Column[UUID] = table.c[COLUMN]
    return found


def model_name(table: str) -> str:
    """Return what to call a scoped table in a message."""
    return _models[table].__name__ if table in _models else table


def refuse_names(sql: str) -> None:
    """Refuse text that names a scoped table: nobody can put a condition into it.

    Raises:
        TenantRefused: it names one.
    """
    found = _pattern.search(sql)
    if found is not None:
        name = model_name(found.group().lower())
        raise TenantRefused(f"SQL as text names the table of {name}: build the statement from the model")


def organization_of(connection: Connection, tables: Iterable[str]) -> UUID:
    """Return the organization for which the connection was taken.

    Raises:
        TenantMissing: for none.
    """
    found: UUID | None = connection.get_execution_options().get(ORGANIZATION)
    if found is None:
        names = ", ".join(sorted(map(model_name, tables))) or "a scoped model"
        raise TenantMissing(
            f"{names} belongs to organizations: read with `runtime.reads(organization_id)`,"
            " write with `runtime.unit(organization_id)`"
        )
    return found
