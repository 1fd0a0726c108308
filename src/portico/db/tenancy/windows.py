"""The first wall: how the application's engines write statements about scoped tables.

All of it happens while a statement is compiled, which is done once and kept, so that a statement costs no more than
before. There is no other place that every way leads through: the ORM's queries, loads of relationships, `get`,
refreshes, subqueries, CTEs, what a flush writes, and Core statements on a bare connection.
"""

from copy import copy
from functools import cached_property
from types import new_class
from typing import Any

from sqlalchemy import BindParameter, TableClause, and_, column, select, table
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import Insert, Update
from sqlalchemy.sql.selectable import FromClause
from sqlalchemy.types import NullType, Uuid

from portico.db.tenancy.errors import TenantRefused
from portico.db.tenancy.execution import guarded_execution
from portico.db.tenancy.models import (
    COLUMN,
    ORGANIZATION,
    PROBE,
    OrganizationKey,
    is_tenant_table,
    model_name,
    organization_column,
    refuse_names,
)

_THE_ORGANIZATION: BindParameter[Any] = BindParameter(ORGANIZATION, type_=Uuid(), required=True)


class WindowCompiler(SQLCompiler):
    """Writes SQL in which scoped tables stand behind their window."""

    tenants: frozenset[str] = frozenset()
    """The scoped tables that the statement touches."""

    @cached_property
    def organization_values(self) -> tuple[str, ...]:
        """Return the parameters that an INSERT writes into `organization_id`."""
        return tuple(name for bind, name in self.bind_names.items() if isinstance(bind.type, OrganizationKey))

    def visit_table(self, table: Any, **kwargs: Any) -> str:  # type: ignore[override]
        """Write a window instead of the table, wherever rows are read from it."""
        text: str = super().visit_table(table, **kwargs)  # type: ignore[no-untyped-call]
        if not is_tenant_table(table.name) or not (kwargs.get("asfrom") or kwargs.get("within_tstring")):
            return text
        self._note(table)
        if kwargs.get("iscrud"):  # what is written to; its statement carries the condition
            return text
        condition = f"{self.preparer.quote(COLUMN)} = {self.process(_THE_ORGANIZATION, **kwargs)}"
        window = f"(SELECT * FROM {text} WHERE {condition})"  # noqa: S608 - compiled, not given
        alias = kwargs.get("enclosing_alias")
        if alias is not None and alias.element is table:
            return window
        suffix: str = self.get_render_as_alias_suffix(self.preparer.quote(table.name))  # type: ignore[no-untyped-call]
        return window + suffix

    def visit_update(self, update_stmt: Update, visiting_cte: Any = None, **kw: Any) -> str:
        """Change rows of the organization only, and never whose they are."""
        if self._writes_tenant(update_stmt):
            _refuse_change(update_stmt.table, [*_written(update_stmt), *(self.column_keys or ())])
            update_stmt = update_stmt.where(self._is_inside(update_stmt.table))
        return super().visit_update(update_stmt, visiting_cte=visiting_cte, **kw)

    def visit_delete(self, delete_stmt: Any, visiting_cte: Any = None, **kw: Any) -> str:
        """Delete rows of the organization only."""
        if self._writes_tenant(delete_stmt):
            delete_stmt = delete_stmt.where(self._is_inside(delete_stmt.table))
        text: str = super().visit_delete(delete_stmt, visiting_cte=visiting_cte, **kw)  # type: ignore[no-untyped-call]
        return text

    def visit_insert(self, insert_stmt: Insert, *args: Any, **kw: Any) -> str:
        """See to it that the organization of new rows can be compared."""
        if self._writes_tenant(insert_stmt):
            self._note(insert_stmt.table)
            _refuse_unreadable_organization(insert_stmt)
        text: str = super().visit_insert(insert_stmt, *args, **kw)  # type: ignore[no-untyped-call]
        return text

    def visit_on_conflict_do_update(self, on_conflict: Any, **kw: Any) -> str:
        """Change the row that stands in the way only where it belongs to the organization."""
        target = self.stack[-1]["selectable"].table  # type: ignore[attr-defined]
        if is_tenant_table(target.name):
            _refuse_change(target, dict(on_conflict.update_values_to_set))
            on_conflict, given = copy(on_conflict), on_conflict.update_whereclause
            inside = self._is_inside(target)
            on_conflict.update_whereclause = inside if given is None else and_(given, inside)
        text: str = super().visit_on_conflict_do_update(on_conflict, **kw)  # type: ignore[misc]
        return text

    def visit_textclause(self, textclause: Any, *args: Any, **kw: Any) -> str:
        """Refuse SQL as text that names a scoped table."""
        self._refuse_names(textclause.text)
        text: str = super().visit_textclause(textclause, *args, **kw)  # type: ignore[no-untyped-call]
        return text

    def visit_tstring_text(self, element: Any, **kw: Any) -> str:
        """Refuse what `visit_textclause` refuses."""
        self._refuse_names(element.text)
        text: str = super().visit_tstring_text(element, **kw)  # type: ignore[no-untyped-call]
        return text

    def visit_column(self, column: Any, *args: Any, **kw: Any) -> str:
        """Refuse what `visit_textclause` refuses, in a `literal_column`."""
        if column.is_literal:
            self._refuse_names(column.name)
        return super().visit_column(column, *args, **kw)

    def get_statement_hint_text(self, hint_texts: Any) -> str:
        """Refuse what `visit_textclause` refuses, in a hint."""
        for hint in hint_texts:
            self._refuse_names(hint)
        text: str = super().get_statement_hint_text(hint_texts)  # type: ignore[no-untyped-call]
        return text

    def _refuse_names(self, text: str) -> None:
        if (
            getattr(self, "statement", None) is not None
        ):  # else it is a constraint or default of a table's definition
            refuse_names(text)

    def _writes_tenant(self, statement: Any) -> bool:
        """Tell whether the statement writes to a scoped table.

        Raises:
            TenantRefused: to one by another name, or with words of its own (`INSERT OR REPLACE`).
        """
        target = statement.table
        if not isinstance(target, TableClause):
            hidden = [each for each in target._from_objects if is_tenant_table(getattr(each, "name", None))]  # noqa: SLF001
            hidden += [target.element] if is_tenant_table(getattr(_innermost(target), "name", None)) else []
            if hidden:
                raise TenantRefused(
                    "a scoped table is written to under another name: write to the model itself"
                )
            return False
        if not is_tenant_table(target.name):
            return False
        if statement._prefixes or statement._hints:  # noqa: SLF001
            raise TenantRefused(f"{model_name(target.name)}: prefixes and hints would change what is written")
        return True

    def _is_inside(self, target: Any) -> Any:
        self._note(target)
        return organization_column(target) == _THE_ORGANIZATION

    def _note(self, target: Any) -> None:
        self.tenants |= {target.name}


def _innermost(target: FromClause) -> Any:
    while not isinstance(target, TableClause) and hasattr(target, "element"):
        target = target.element
    return target


def _written(statement: Any) -> list[Any]:
    """Return the columns that a statement sets by itself, not by its parameters."""
    single = statement._values or {}  # noqa: SLF001
    ordered = getattr(statement, "_ordered_values", None) or ()
    several = [row for rows in statement._multi_values for row in rows]  # noqa: SLF001
    return [*single, *(key for key, _ in ordered), *(key for row in several for key in row)]


def _refuse_change(target: Any, keys: Any) -> None:
    if any(_name(key) == COLUMN for key in keys):
        raise TenantRefused(f"{model_name(target.name)}: a row never moves to another organization")


def _refuse_unreadable_organization(statement: Any) -> None:
    """Let only plain values be given for the organization; they are compared before they are sent."""
    organization_column(statement.table)
    several = [row for rows in statement._multi_values for row in rows]  # noqa: SLF001
    for given in (statement._values or {}, *several):  # noqa: SLF001
        for key, value in dict(given).items():
            if _name(key) == COLUMN and not _is_plain(value):
                raise TenantRefused(f"{model_name(statement.table.name)}: the organization is not computed")
    if any(_name(key) == COLUMN for key in statement._select_names or ()):  # noqa: SLF001
        raise TenantRefused(f"{model_name(statement.table.name)}: leave the organization to the stamp")


def _is_plain(value: Any) -> bool:
    if not isinstance(value, BindParameter):
        return not hasattr(value, "__clause_element__") and not hasattr(value, "_compiler_dispatch")
    return isinstance(value.type, NullType | OrganizationKey)


def _name(key: Any) -> str:
    return str(getattr(key, "key", key))


def guard(engine: AsyncEngine) -> None:
    """Put the wall into an engine.

    Raises:
        RuntimeError: it does not hold: this SQLAlchemy writes its statements in another way.
    """
    dialect: Any = engine.sync_engine.dialect
    dialect.statement_compiler = new_class("TenantCompiler", (WindowCompiler, dialect.statement_compiler))
    dialect.execution_ctx_cls = guarded_execution(dialect.execution_ctx_cls)
    probe = select(table(PROBE, column("id"))).compile(dialect=dialect)
    if f"WHERE {COLUMN} = " not in str(probe):
        raise RuntimeError("the wall between organizations does not hold with this release of SQLAlchemy")
