"""Gives compiled statements their organization, and looks at what is sent without having been compiled here."""

from functools import cache
from types import new_class
from typing import Any

from sqlalchemy.engine.default import DefaultExecutionContext

from portico.db.tenancy.errors import TenantRefused
from portico.db.tenancy.models import ORGANIZATION, model_name, organization_of, refuse_names


class TenantExecution(DefaultExecutionContext):
    """Fills in the organization that the connection was taken for; the caller cannot give another one."""

    @classmethod
    def _init_compiled(  # noqa: PLR0917 - SQLAlchemy's own signature
        cls,
        dialect: Any,
        connection: Any,
        dbapi_connection: Any,
        execution_options: Any,
        compiled: Any,
        parameters: Any,
        *rest: Any,
        **named: Any,
    ) -> Any:
        if not compiled.tenants:
            begun = (dialect, connection, dbapi_connection, execution_options, compiled, parameters)
            return super()._init_compiled(*begun, *rest, **named)
        organization_id = organization_of(connection, compiled.tenants)
        everybody: Any = parameters or ({},)
        filled = [{**given, ORGANIZATION: organization_id} for given in everybody]
        begun = (dialect, connection, dbapi_connection, execution_options, compiled, filled)
        context: Any = super()._init_compiled(*begun, *rest, **named)
        if compiled.isinsert:
            _refuse_foreign_rows(context, organization_id)
        return context

    @classmethod
    def _init_statement(  # noqa: PLR0917 - SQLAlchemy's own signature
        cls,
        dialect: Any,
        connection: Any,
        dbapi_connection: Any,
        execution_options: Any,
        statement: str,
        parameters: Any,
    ) -> Any:
        if not statement.startswith("PRAGMA "):  # by which SQLite is asked for columns
            refuse_names(statement)
        return super()._init_statement(
            dialect, connection, dbapi_connection, execution_options, statement, parameters
        )


def _refuse_foreign_rows(context: Any, organization_id: Any) -> None:
    for name in context.compiled.organization_values:
        for values in context.compiled_parameters:
            if values[name] != organization_id:
                models = ", ".join(sorted(map(model_name, context.compiled.tenants)))
                raise TenantRefused(f"{models}: a row of another organization was to be added")


@cache
def guarded_execution(kind: type[DefaultExecutionContext]) -> type[DefaultExecutionContext]:
    """Return the dialect's own execution context with the wall before it."""
    return new_class("TenantExecutionContext", (TenantExecution, kind))
