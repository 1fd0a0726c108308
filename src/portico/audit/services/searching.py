"""Searching the trail: the platform's administrators see all of it, an organization its own part."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from portico.audit.repositories.trail import TrailRepository
from portico.audit.schemas import OrganizationTrailQuery, TrailQuery
from portico.audit.types import TrailEntry, TrailFilter
from portico.http.pagination import Cursors, Page
from portico.runtime import Runtime

type CountOnce = Callable[[bytes, Callable[[], Awaitable[int]]], Awaitable[int]]
"""Answers the count of a list, named by its key, from memory or by the function that is given."""

WHOLE = "GET /admin/audit"
OF_ORGANIZATION = "GET /organizations/{organization_id}/audit"


class Trail:
    """The trail, read."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def list_entries(
        self, query: TrailQuery, *, count_once: CountOnce | None = None
    ) -> Page[TrailEntry]:
        """Return one page of the whole trail.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        return await self._page(query, query.filter, WHOLE, count_once)

    async def list_of_organization(
        self, organization_id: UUID, query: OrganizationTrailQuery, *, count_once: CountOnce | None = None
    ) -> Page[TrailEntry]:
        """Return one page of an organization's part; a cursor of another organization is refused.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        route = f"{OF_ORGANIZATION} {organization_id}"
        return await self._page(query, query.filter_in(organization_id), route, count_once)

    async def _page(
        self,
        query: OrganizationTrailQuery,
        where: TrailFilter,
        route: str,
        count_once: CountOnce | None,
    ) -> Page[TrailEntry]:
        def remembered(count: Callable[[], Awaitable[int]]) -> Awaitable[int]:
            return count_once(query.binding(route), count) if count_once else count()

        async with self._runtime.reads() as session:
            found = await TrailRepository(session).list_entries(
                query, where, Cursors.of(self._runtime), route=route, count_once=remembered
            )
        return found.to_page(lambda entry: entry)
