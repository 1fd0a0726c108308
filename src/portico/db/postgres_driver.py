"""asyncpg with the organization of a transaction said in the same trip as its beginning."""

from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from portico.db.tenancy.models import ORGANIZATION
from portico.db.tenancy.policies import SETTING


class TenantConnection(asyncpg.Connection):  # type: ignore[misc]
    """Begins each transaction for the organization that is noted here, or for none."""

    organization_id: UUID | None = None

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Execute as asyncpg does; a `BEGIN` sets the organization for its transaction and no longer."""
        organization_id, self.organization_id = self.organization_id, None
        if organization_id is not None and query.startswith("BEGIN"):
            query += f" SET LOCAL {SETTING} = '{organization_id}';"
        status: str = await super().execute(query, *args, timeout=timeout)
        return status


def begin_for_organization(engine: AsyncEngine) -> None:
    """Note the organization that a connection was taken for, when SQLAlchemy begins a transaction.

    asyncpg sends the `BEGIN` with the first statement; nothing is sent in between.
    """

    def begun(connection: Any) -> None:
        options = connection.get_execution_options()
        connection.connection.driver_connection.organization_id = options.get(ORGANIZATION)

    event.listen(engine.sync_engine, "begin", begun)
