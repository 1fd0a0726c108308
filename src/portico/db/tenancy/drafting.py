"""Writes `isolate` into drafted migrations: whoever makes a scoped table gets its second wall with it."""

import json
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.rewriter import Rewriter
from alembic.operations import MigrateOperation, ops

from portico.db.tenancy.models import COLUMN, is_tenant_table

write_walls = Rewriter()
"""What Alembic is given as `process_revision_directives`."""


class WallOp(MigrateOperation):
    """A call of `isolate` or `unisolate`."""

    def __init__(self, call: str, table_name: str) -> None:
        self.call = call
        self.table_name = table_name


@renderers.dispatch_for(WallOp)
def render_wall(context: AutogenContext, operation: WallOp) -> str:
    """Return the line of the migration."""
    context.imports.add(f"from portico.db.tenancy import {operation.call}")
    return f"{operation.call}(op, {json.dumps(operation.table_name)})"


@write_walls.rewrites(ops.CreateTableOp)
def _isolate_new_table(_context: Any, _revision: Any, operation: ops.CreateTableOp) -> Any:
    if not is_tenant_table(operation.table_name):
        return operation
    return [operation, WallOp("isolate", operation.table_name)]


@write_walls.rewrites(ops.ModifyTableOps)
def _isolate_changed_table(_context: Any, _revision: Any, operation: ops.ModifyTableOps) -> Any:
    """Build the wall when the column comes, and take it down before it goes: the policy hangs on it."""
    name = operation.table_name
    for change in operation.ops:
        if isinstance(change, ops.AddColumnOp) and change.column.name == COLUMN and is_tenant_table(name):
            return [operation, WallOp("isolate", name)]
        if isinstance(change, ops.DropColumnOp) and change.column_name == COLUMN:
            return [WallOp("unisolate", name), operation]
    return operation
