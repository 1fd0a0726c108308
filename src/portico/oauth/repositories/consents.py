"""SQL of consents."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from portico.core.ids import new_id
from portico.db.repositories import Repository
from portico.oauth.models import OAuthClient, OAuthConsent, OAuthGrant


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedClient:
    """A client that a person has let in, as the account page shows it."""

    client_key: UUID
    client_id: str
    name: str | None
    scope: str
    resources: tuple[str, ...]
    connected_at: datetime
    last_used_at: datetime | None
    registered: dict[str, Any]


class ConsentRepository(Repository[OAuthConsent]):
    """The consents."""

    async def find(self, user_id: UUID, client_key: UUID) -> OAuthConsent | None:
        """Return what a person has allowed a client."""
        query = select(OAuthConsent).where(
            OAuthConsent.user_id == user_id, OAuthConsent.client_key == client_key
        )
        return (await self.session.scalars(query)).one_or_none()

    async def take(self, user_id: UUID, client_key: UUID, now: datetime) -> OAuthConsent:
        """Return the row of a person and a client, locked, to be written to; a new one is empty."""
        dialect = postgresql if self.session.get_bind().dialect.name == "postgresql" else sqlite
        empty = {"scope": "", "resources": [], "details": [], "fingerprint": ""}
        await self.session.execute(
            dialect.insert(OAuthConsent)
            .values(
                id=new_id(), user_id=user_id, client_key=client_key, created_at=now, updated_at=now, **empty
            )
            .on_conflict_do_nothing()
        )
        query = select(OAuthConsent).where(
            OAuthConsent.user_id == user_id, OAuthConsent.client_key == client_key
        )
        return (await self.session.scalars(query.with_for_update())).one()

    async def delete_of(self, user_id: UUID, client_key: UUID | None = None) -> bool:
        """Forget what a person has allowed one client, or all; False where there was nothing."""
        statement = delete(OAuthConsent).where(OAuthConsent.user_id == user_id)
        if client_key is not None:
            statement = statement.where(OAuthConsent.client_key == client_key)
        return bool((await self.session.scalars(statement.returning(OAuthConsent.id))).all())

    async def list_connected(self, user_id: UUID) -> Sequence[ConnectedClient]:
        """Return the clients that may act in a person's name now, the last connected first."""
        living = (
            select(
                OAuthGrant.client_key,
                func.min(OAuthGrant.created_at).label("since"),
                func.max(OAuthGrant.last_used_at).label("used"),
            )
            .where(OAuthGrant.user_id == user_id, OAuthGrant.ended_at.is_(None))
            .group_by(OAuthGrant.client_key)
            .subquery()
        )
        query = (
            select(OAuthClient, OAuthConsent, living.c.since, living.c.used)
            .outerjoin(living, living.c.client_key == OAuthClient.id)
            .outerjoin(
                OAuthConsent,
                (OAuthConsent.client_key == OAuthClient.id) & (OAuthConsent.user_id == user_id),
            )
            .where(living.c.since.is_not(None) | OAuthConsent.id.is_not(None))
            .order_by(func.coalesce(living.c.since, OAuthConsent.created_at).desc())
        )
        return [_connected(*row) for row in (await self.session.execute(query)).all()]


def _connected(
    client: OAuthClient, consent: OAuthConsent | None, since: datetime | None, used: datetime | None
) -> ConnectedClient:
    return ConnectedClient(
        client_key=client.id,
        client_id=client.client_id,
        name=client.name,
        scope=consent.scope if consent else "",
        resources=tuple(consent.resources) if consent else (),
        connected_at=since or (consent.created_at if consent else client.created_at),
        last_used_at=used,
        registered=client.registered,
    )
