"""SQL of opaque access tokens."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, bindparam, delete, insert, select, update

from portico.db.repositories import Repository
from portico.oauth.models import OAuthToken

_TOKEN = cast("Table", OAuthToken.__table__)
_ADD = insert(_TOKEN)
_LIVE = select(_TOKEN.c.claims).where(
    _TOKEN.c.token_hash == bindparam("hash", type_=_TOKEN.c.token_hash.type),
    _TOKEN.c.revoked_at.is_(None),
    _TOKEN.c.expires_at > bindparam("now", type_=_TOKEN.c.expires_at.type),
)


class OpaqueTokenRepository(Repository[OAuthToken]):
    """The opaque tokens."""

    async def add_token(self, **values: Any) -> None:
        """Write one row, without the ORM."""
        connection = await self.session.connection()
        await connection.execute(_ADD, values)

    async def find_live(self, token_hash: bytes, now: datetime) -> dict[str, Any] | None:
        """Return what a token says that was neither revoked nor expired."""
        connection = await self.session.connection()
        found: dict[str, Any] | None = await connection.scalar(_LIVE, {"hash": token_hash, "now": now})
        return found

    async def revoke(self, token_id: UUID, now: datetime) -> bool:
        """Revoke one token; False if there is none or it was revoked before."""
        statement = (
            update(_TOKEN)
            .where(_TOKEN.c.id == token_id, _TOKEN.c.revoked_at.is_(None))
            .values(revoked_at=now)
            .returning(_TOKEN.c.id)
        )
        return (await self.session.execute(statement)).first() is not None

    async def remove_expired(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` tokens that expired before `before`; return how many went."""
        oldest = select(_TOKEN.c.id).where(_TOKEN.c.expires_at < before).limit(limit)
        statement = delete(_TOKEN).where(_TOKEN.c.id.in_(oldest)).returning(_TOKEN.c.id)
        return len((await self.session.execute(statement)).all())
