"""SQL of requests that wait, and of ids that are good once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from portico.db.repositories import Repository
from portico.oauth.models import OAuthRequest, OAuthSpentId
from portico.oauth.types import RequestKind

_REQUEST = cast("Table", OAuthRequest.__table__)
_SPENT = cast("Table", OAuthSpentId.__table__)
_EXISTS = select(_SPENT.c.id_hash).where(_SPENT.c.id_hash == bindparam("hash", type_=_SPENT.c.id_hash.type))


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRequest:
    """A request that waits; `parameters` are pairs in their order."""

    id: UUID
    kind: RequestKind
    client_key: UUID
    parameters: tuple[tuple[str, str], ...]
    jkt: str | None
    created_at: datetime
    expires_at: datetime
    spent_at: datetime | None


class RequestRepository(Repository[OAuthRequest]):
    """Pushed and parked requests."""

    async def add_request(self, **values: Any) -> None:
        """Write one row."""
        await self.session.execute(insert(_REQUEST), values)

    async def find(self, secret_hash: bytes) -> FoundRequest | None:
        """Return the request of this secret."""
        row = (
            await self.session.execute(select(_REQUEST).where(_REQUEST.c.secret_hash == secret_hash))
        ).one_or_none()
        if row is None:
            return None
        return FoundRequest(
            id=row.id,
            kind=row.kind,
            client_key=row.client_key,
            parameters=tuple((name, value) for name, value in row.parameters),
            jkt=row.jkt,
            created_at=row.created_at,
            expires_at=row.expires_at,
            spent_at=row.spent_at,
        )

    async def spend(self, request_id: UUID, now: datetime) -> bool:
        """Spend a request; False if somebody was faster."""
        statement = (
            update(_REQUEST)
            .where(_REQUEST.c.id == request_id, _REQUEST.c.spent_at.is_(None))
            .values(spent_at=now)
            .returning(_REQUEST.c.id)
        )
        return (await self.session.execute(statement)).first() is not None

    async def remove_expired(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` requests that expired before `before`; return how many went."""
        oldest = select(_REQUEST.c.id).where(_REQUEST.c.expires_at < before).limit(limit)
        statement = delete(_REQUEST).where(_REQUEST.c.id.in_(oldest)).returning(_REQUEST.c.id)
        return len((await self.session.execute(statement)).all())


class SpentIdRepository(Repository[OAuthSpentId]):
    """What was shown once and is good no more."""

    async def spend(self, id_hash: bytes, expires_at: datetime) -> bool:
        """Note an id; False if it was noted before. Of any number of callers exactly one is told True."""
        connection = await self.session.connection()
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        statement = (
            dialect.insert(_SPENT)
            .values(id_hash=id_hash, expires_at=expires_at)
            .on_conflict_do_nothing()
            .returning(_SPENT.c.id_hash)
        )
        return (await connection.execute(statement)).first() is not None

    async def exists(self, id_hash: bytes) -> bool:
        """Tell whether an id was noted."""
        connection = await self.session.connection()
        return await connection.scalar(_EXISTS, {"hash": id_hash}) is not None

    async def remove_expired(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` ids that expired before `before`; return how many went."""
        oldest = select(_SPENT.c.id_hash).where(_SPENT.c.expires_at < before).limit(limit)
        statement = delete(_SPENT).where(_SPENT.c.id_hash.in_(oldest)).returning(_SPENT.c.id_hash)
        return len((await self.session.execute(statement)).all())
