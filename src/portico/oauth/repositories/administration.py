"""SQL of clients, grants, resources and initial tokens as administrators look at them."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, Table, delete, func, or_, select
from sqlalchemy.exc import IntegrityError

from portico.db.repositories import Repository
from portico.http.pagination import Cursors, Ordering, PageQuery, Slice, fetch_page
from portico.oauth.errors import ClientNotFound, ResourceNotFound, ResourceTaken
from portico.oauth.models import OAuthClient, OAuthClientSecret, OAuthGrant, OAuthResource
from portico.oauth.types import ClientFilter

_SECRET = cast("Table", OAuthClientSecret.__table__)


class ClientAdministrationRepository(Repository[OAuthClient]):
    """The clients, one by one and in pages; `organization_id` leaves out all but an organization's own."""

    async def get_client(
        self, key: UUID, organization_id: UUID | None = None, *, lock: bool = False
    ) -> OAuthClient:
        """Return a client; with `lock` nobody else changes it before the commit.

        Raises:
            ClientNotFound: there is none, or none of this organization (404).
        """
        query = select(OAuthClient).where(OAuthClient.id == key)
        if organization_id is not None:
            query = query.where(OAuthClient.organization_id == organization_id)
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        found = await self.session.scalar(query)
        if found is None:
            raise ClientNotFound
        return found

    async def list_clients(
        self, wanted: ClientFilter, query: PageQuery, cursors: Cursors, *, route: str
    ) -> Slice[OAuthClient]:
        """Return one page of clients."""
        statement = _matching(select(OAuthClient), wanted)
        if query.q is not None:
            words = query.q.strip()
            named = func.lower(OAuthClient.name).contains(words.lower(), autoescape=True)
            statement = statement.where(or_(named, OAuthClient.client_id.startswith(words, autoescape=True)))
        ordering = Ordering(OAuthClient.created_at, OAuthClient.id, descending=query.descending)
        return await fetch_page(
            self.session, statement, query=query, ordering=ordering, cursors=cursors, route=route
        )

    async def count_of_organization(self, organization_id: UUID) -> int:
        """Return how many clients of its own an organization has."""
        query = select(func.count()).select_from(OAuthClient)
        own = query.where(OAuthClient.organization_id == organization_id)
        return int(await self.session.scalar(own) or 0)

    async def remove_expired_secrets(self, key: UUID, now: datetime) -> None:
        """Delete those of a client's secrets that are good no more."""
        await self.session.execute(
            delete(_SECRET).where(_SECRET.c.client_key == key, _SECRET.c.expires_at <= now)
        )

    async def list_grants(
        self, key: UUID, query: PageQuery, cursors: Cursors, *, living: bool | None, route: str
    ) -> Slice[OAuthGrant]:
        """Return one page of what was granted to a client: what still is, what is over, or both for None."""
        statement = select(OAuthGrant).where(OAuthGrant.client_key == key)
        if living is not None:
            ended = OAuthGrant.ended_at.is_not(None)
            statement = statement.where(~ended if living else ended)
        ordering = Ordering(OAuthGrant.created_at, OAuthGrant.id, descending=query.descending)
        return await fetch_page(
            self.session, statement, query=query, ordering=ordering, cursors=cursors, route=route
        )


class ResourceAdministrationRepository(Repository[OAuthResource]):
    """The resources that administrators registered."""

    async def add_resource(self, row: OAuthResource) -> None:
        """Write a new resource.

        Raises:
            ResourceTaken: another transaction has just written this identifier; this one is over (409).
        """
        self.add(row)
        try:
            await self.flush()
        except IntegrityError:
            raise ResourceTaken from None

    async def get_resource(self, resource_id: UUID, *, lock: bool = False) -> OAuthResource:
        """Return a resource.

        Raises:
            ResourceNotFound: there is none (404).
        """
        query = select(OAuthResource).where(OAuthResource.id == resource_id)
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        found = await self.session.scalar(query)
        if found is None:
            raise ResourceNotFound
        return found

    async def list_resources(self, query: PageQuery, cursors: Cursors, *, route: str) -> Slice[OAuthResource]:
        """Return one page of resources."""
        statement = select(OAuthResource)
        if query.q is not None:
            words = query.q.strip().lower()
            statement = statement.where(
                or_(
                    func.lower(OAuthResource.name).contains(words, autoescape=True),
                    func.lower(OAuthResource.identifier).contains(words, autoescape=True),
                )
            )
        ordering = Ordering(OAuthResource.created_at, OAuthResource.id, descending=query.descending)
        return await fetch_page(
            self.session, statement, query=query, ordering=ordering, cursors=cursors, route=route
        )


def _matching(query: Select[Any], wanted: ClientFilter) -> Select[Any]:
    if wanted.source is not None:
        query = query.where(OAuthClient.source == wanted.source)
    if wanted.organization_id is not None:
        query = query.where(OAuthClient.organization_id == wanted.organization_id)
    if wanted.disabled is not None:
        off = OAuthClient.disabled_at.is_not(None)
        query = query.where(off if wanted.disabled else ~off)
    return query
