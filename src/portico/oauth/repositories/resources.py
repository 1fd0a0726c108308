"""SQL of resources."""

from collections.abc import Sequence

from sqlalchemy import select

from portico.db.repositories import Repository
from portico.oauth.models import OAuthResource


class ResourceRepository(Repository[OAuthResource]):
    """The APIs that administrators registered."""

    async def list_all(self) -> Sequence[OAuthResource]:
        """Return all of them, by identifier; there are few."""
        return (await self.session.scalars(select(OAuthResource).order_by(OAuthResource.identifier))).all()

    async def find(self, identifier: str) -> OAuthResource | None:
        """Return the one of this identifier."""
        query = select(OAuthResource).where(OAuthResource.identifier == identifier)
        return (await self.session.scalars(query)).one_or_none()
