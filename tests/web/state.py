"""What the database holds, as one comparable value."""

from sqlalchemy import select

from portico.db.base import TABLE_PREFIX, Base
from portico.runtime import Runtime

LEFT_OUT = {"portico_workers", "portico_worker_leases"}
"""Tables that the process itself writes while it lives, whoever asks."""


async def state_of(runtime: Runtime) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table of ours; other tests of the process may have made models of their own."""
    async with runtime.reads() as session:
        return {
            table.name: sorted((tuple(row) for row in await session.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
            if table.name.startswith(TABLE_PREFIX) and table.name not in LEFT_OUT
        }
