"""SQL of the clients that somebody signed in to from a session."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from portico.db.repositories import Repository
from portico.oauth.models import OAuthClient, OAuthGrant


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """A client to which a person signed in from a session; `registered` is its metadata as the database has it."""

    session_id: UUID
    client_key: UUID
    user_id: UUID
    registered: dict[str, Any]


class RelyingPartyRepository(Repository[OAuthGrant]):
    """Relying parties by session; what was granted may have ended."""

    async def list_of_sessions(self, session_ids: Collection[UUID]) -> list[RelyingParty]:
        """Return each client of these sessions once a session."""
        granted = (
            select(OAuthGrant.session_id, OAuthGrant.client_key, OAuthGrant.user_id)
            .where(OAuthGrant.session_id.in_(session_ids), OAuthGrant.user_id.is_not(None))
            .distinct()
            .subquery()
        )
        query = (
            select(granted.c.session_id, granted.c.client_key, granted.c.user_id, OAuthClient.registered)
            .join(OAuthClient, OAuthClient.id == granted.c.client_key)
            .order_by(granted.c.session_id, granted.c.client_key)
        )
        return [
            RelyingParty(session_id=session_id, client_key=key, user_id=user_id, registered=registered)
            for session_id, key, user_id, registered in (await self.session.execute(query)).all()
        ]
