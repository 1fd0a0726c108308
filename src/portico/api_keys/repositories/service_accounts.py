"""SQL of service accounts."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select

from portico.api_keys.errors import ServiceAccountNotFound
from portico.api_keys.models import ServiceAccount
from portico.db.repositories import Repository
from portico.http.pagination import Cursors, Ordering, PageQuery, Slice, fetch_page

ROUTE = "GET /organizations/{organization_id}/service-accounts"


class ServiceAccountRepository(Repository[ServiceAccount]):
    """The service accounts that are not deleted."""

    async def get_account(
        self, organization_id: UUID, account_id: UUID, *, lock: bool = False
    ) -> ServiceAccount:
        """Return one of the organization's.

        Raises:
            ServiceAccountNotFound: it has none of this id (404).
        """
        query = _of(organization_id).where(ServiceAccount.id == account_id)
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        found: ServiceAccount | None = await self.session.scalar(query)
        if found is None:
            raise ServiceAccountNotFound
        return found

    async def list_accounts(
        self, organization_id: UUID, query: PageQuery, cursors: Cursors
    ) -> Slice[ServiceAccount]:
        """Return one page."""
        statement = _of(organization_id)
        if query.q is not None:
            words = query.q.strip().lower()
            statement = statement.where(func.lower(ServiceAccount.name).contains(words, autoescape=True))
        ordering = Ordering(ServiceAccount.created_at, ServiceAccount.id, descending=query.descending)
        return await fetch_page(
            self.session,
            statement,
            query=query,
            ordering=ordering,
            cursors=cursors,
            route=f"{ROUTE} {organization_id}",
        )

    async def count_of(self, organization_id: UUID) -> int:
        """Return how many an organization has."""
        counted = _of(organization_id).with_only_columns(func.count())
        return int(await self.session.scalar(counted) or 0)

    async def names_of(self, account_ids: Collection[UUID]) -> dict[UUID, str]:
        """Return the names of service accounts, deleted ones included."""
        query = select(ServiceAccount.id, ServiceAccount.name).where(ServiceAccount.id.in_(account_ids))
        return dict((await self.session.execute(query)).tuples().all())


def _of(organization_id: UUID) -> Select[Any]:
    return select(ServiceAccount).where(
        ServiceAccount.organization_id == organization_id, ServiceAccount.deleted_at.is_(None)
    )
