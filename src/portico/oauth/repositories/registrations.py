"""SQL of clients that make themselves known: by registering, or by a document."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, Table, delete, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from portico.access.models import PrincipalRow
from portico.db.repositories import Repository
from portico.oauth.models import OAuthClient, OAuthClientSecret, OAuthGrant, OAuthInitialToken
from portico.oauth.types import ClientSource

_CLIENT = cast("Table", OAuthClient.__table__)
_SECRET = cast("Table", OAuthClientSecret.__table__)
_GRANT = cast("Table", OAuthGrant.__table__)
_PRINCIPAL = cast("Table", PrincipalRow.__table__)
_INITIAL = cast("Table", OAuthInitialToken.__table__)


ROOM_LOCK = 0x706F_7274_726F_6F6D
"""Number of the advisory lock under which clients that make themselves known are counted (`portroom`)."""


class ClientTaken(Exception):
    """There is a client of this id since a moment ago."""


class RegistrationRepository(Repository[OAuthClient]):
    """The rows of such clients."""

    async def find_row(self, client_id: str, *, lock: bool = False) -> OAuthClient | None:
        """Return the client of this text, to be changed if `lock`."""
        query = select(OAuthClient).where(OAuthClient.client_id == client_id)
        return (await self.session.scalars(query.with_for_update() if lock else query)).one_or_none()

    async def add_row(self, row: OAuthClient) -> None:
        """Write a new client.

        Raises:
            ClientTaken: another transaction has just written one of this id; this one is over.
        """
        self.add(row)
        try:
            await self.flush()
        except IntegrityError:
            raise ClientTaken(row.client_id) from None

    async def lock(self) -> None:
        """Let nobody else count and add before the commit; on SQLite the transaction itself sees to that."""
        if self.session.get_bind().dialect.name == "postgresql":
            await self.session.execute(select(func.pg_advisory_xact_lock(ROOM_LOCK)))

    async def count_of(self, source: ClientSource) -> int:
        """Return how many clients came this way."""
        query = select(func.count()).select_from(_CLIENT).where(_CLIENT.c.source == source)
        return (await self.session.execute(query)).scalar_one()

    async def believe_longer(self, key: UUID, fetched_at: datetime | None, until: datetime) -> None:
        """Note until when a document is believed, past the version, which counts changes; None: fetched as before."""
        values = {"document_good_until": until}
        if fetched_at is not None:
            values["document_fetched_at"] = fetched_at
        connection = await self.session.connection()
        await connection.execute(update(_CLIENT).where(_CLIENT.c.id == key).values(**values))

    async def remove_secrets(self, key: UUID) -> None:
        """Delete all secrets of a client."""
        await self.session.execute(delete(_SECRET).where(_SECRET.c.client_key == key))

    async def remove_principal(self, key: UUID) -> None:
        """Delete a client with all that hangs on it."""
        await self.session.execute(delete(_PRINCIPAL).where(_PRINCIPAL.c.id == key))

    async def list_unused(
        self, source: ClientSource, before: datetime, limit: int
    ) -> Sequence[tuple[UUID, str]]:
        """Return key and id of clients that came before then and were never used, the oldest first."""
        query = (
            select(_CLIENT.c.id, _CLIENT.c.client_id)
            .where(_CLIENT.c.source == source, _CLIENT.c.created_at < before, *_never_used())
            .order_by(_CLIENT.c.created_at)
            .limit(limit)
        )
        return [(row.id, row.client_id) for row in await self.session.execute(query)]

    async def remove_unused(self, keys: Sequence[UUID]) -> list[UUID]:
        """Delete those of these clients that were still not used; return which."""
        clients = select(_CLIENT.c.id).where(_CLIENT.c.id.in_(keys), *_never_used())
        statement = delete(_PRINCIPAL).where(_PRINCIPAL.c.id.in_(clients)).returning(_PRINCIPAL.c.id)
        return list((await self.session.execute(statement)).scalars())


class InitialTokenRepository(Repository[OAuthInitialToken]):
    """The initial access tokens."""

    async def take(self, token_hash: bytes, now: datetime) -> UUID | None:
        """Use a token once more and return its id; None if there is none that may still be used.

        Of two who take the last use at once, one gets it.
        """
        statement = (
            update(_INITIAL)
            .where(_INITIAL.c.token_hash == token_hash, *_good(now))
            .values(uses_left=_INITIAL.c.uses_left - 1)
            .returning(_INITIAL.c.id)
        )
        found: UUID | None = (await self.session.execute(statement)).scalar_one_or_none()
        return found

    async def list_good(self, now: datetime) -> Sequence[OAuthInitialToken]:
        """Return those that may still be used, the newest first."""
        query = select(OAuthInitialToken).where(*_good(now)).order_by(OAuthInitialToken.id.desc())
        return (await self.session.scalars(query)).all()

    async def revoke(self, token_id: UUID, now: datetime) -> bool:
        """End a token; False if there is none that may still be used."""
        statement = (
            update(_INITIAL)
            .where(_INITIAL.c.id == token_id, *_good(now))
            .values(revoked_at=now)
            .returning(_INITIAL.c.id)
        )
        return (await self.session.execute(statement)).first() is not None


def _good(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        _INITIAL.c.revoked_at.is_(None),
        _INITIAL.c.expires_at > now,
        or_(_INITIAL.c.uses_left.is_(None), _INITIAL.c.uses_left > 0),
    )


def _never_used() -> tuple[ColumnElement[bool], ...]:
    """Nobody fetched a token with it, and nobody was ever asked to let it in and did."""
    granted = exists().where(_GRANT.c.client_key == _CLIENT.c.id)
    return _CLIENT.c.last_used_at.is_(None), ~granted
