"""Work over all organizations: one after another, because no session sees the rows of two."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from sqlalchemy import Uuid, column, select, table

from portico.core.ids import OrganizationId
from portico.db.tenancy.models import ORGANIZATIONS

if TYPE_CHECKING:
    from portico.db.unit import Reads

BATCH = 500
_ORGANIZATIONS = table(ORGANIZATIONS, column("id", Uuid))


async def every_organization(reads: "Reads", batch: int = BATCH) -> AsyncIterator[OrganizationId]:
    """Yield the ids of all organizations, oldest first, those about to be deleted too; nothing is held in between.

    async for organization_id in every_organization(run.runtime.reads):
        async with run.runtime.unit(organization_id) as unit:
            ...
    """
    query = select(_ORGANIZATIONS.c.id).order_by(_ORGANIZATIONS.c.id).limit(batch)
    found: list[OrganizationId] = []
    while True:
        async with reads() as session:
            beyond = query.where(_ORGANIZATIONS.c.id > found[-1]) if found else query
            found = [OrganizationId(each) for each in await session.scalars(beyond)]
        for organization_id in found:
            yield organization_id
        if len(found) < batch:
            return
