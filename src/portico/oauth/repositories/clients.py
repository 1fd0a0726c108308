"""SQL of clients and their secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, Table, bindparam, delete, insert, or_, select, update

from portico.access.models import PrincipalRow, Tenant
from portico.db.repositories import Repository
from portico.oauth.models import OAuthClient, OAuthClientSecret
from portico.oauth.types import ClientSource

_CLIENT = cast("Table", OAuthClient.__table__)
_SECRET = cast("Table", OAuthClientSecret.__table__)
_PRINCIPAL = cast("Table", PrincipalRow.__table__)
_TENANT = cast("Table", Tenant.__table__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundClient:
    """A client as the database has it; `secrets` are rows of id, hash, end, sealed text."""

    id: UUID
    client_id: str
    source: ClientSource
    organization_id: UUID | None
    name: str | None
    registered: dict[str, Any]
    policy: dict[str, Any]
    fingerprint: str
    document_good_until: datetime | None
    is_off: bool
    secrets: tuple[tuple[UUID, bytes, datetime | None, bytes | None], ...]


def _query() -> Select[Any]:
    return select(
        _CLIENT.c.id,
        _CLIENT.c.client_id,
        _CLIENT.c.source,
        _CLIENT.c.organization_id,
        _CLIENT.c.name,
        _CLIENT.c.registered,
        _CLIENT.c.policy,
        _CLIENT.c.fingerprint,
        _CLIENT.c.document_good_until,
        or_(
            _CLIENT.c.disabled_at.is_not(None),
            _PRINCIPAL.c.disabled_at.is_not(None),
            _TENANT.c.disabled_at.is_not(None),
        ).label("is_off"),
        _SECRET.c.id.label("secret_id"),
        _SECRET.c.secret_hash,
        _SECRET.c.expires_at,
        _SECRET.c.sealed,
    ).select_from(
        _CLIENT.join(_PRINCIPAL, _PRINCIPAL.c.id == _CLIENT.c.id)
        .outerjoin(_TENANT, _TENANT.c.id == _CLIENT.c.organization_id)
        .outerjoin(_SECRET, _SECRET.c.client_key == _CLIENT.c.id)
    )


_BY_CLIENT_ID = _query().where(_CLIENT.c.client_id == bindparam("client_id"))
_BY_KEY = _query().where(_CLIENT.c.id == bindparam("key", type_=_CLIENT.c.id.type))
_USED = (
    update(_CLIENT)
    .where(_CLIENT.c.id == bindparam("key", type_=_CLIENT.c.id.type))
    .values(last_used_at=bindparam("now", type_=_CLIENT.c.last_used_at.type))
)


class ClientRepository(Repository[OAuthClient]):
    """The clients."""

    async def find_by_client_id(self, client_id: str) -> FoundClient | None:
        """Return the client of this text with its secrets; one statement."""
        return await self._find(_BY_CLIENT_ID, {"client_id": client_id})

    async def find_by_key(self, key: UUID) -> FoundClient | None:
        """Return the client of this principal id with its secrets; one statement."""
        return await self._find(_BY_KEY, {"key": key})

    async def add_secret(self, **values: Any) -> None:
        """Write a secret."""
        await self.session.execute(insert(_SECRET), values)

    async def end_secrets(self, key: UUID, *, at: datetime) -> None:
        """Let a client's secrets end at `at`, unless they end earlier."""
        later = or_(_SECRET.c.expires_at.is_(None), _SECRET.c.expires_at > at)
        await self.session.execute(
            update(_SECRET).where(_SECRET.c.client_key == key, later).values(expires_at=at)
        )

    async def list_secrets(self, key: UUID) -> Sequence[OAuthClientSecret]:
        """Return a client's secrets, the newest first."""
        query = select(OAuthClientSecret).where(OAuthClientSecret.client_key == key)
        return (await self.session.scalars(query.order_by(OAuthClientSecret.id.desc()))).all()

    async def delete_secret(self, key: UUID, secret_id: UUID) -> bool:
        """Delete one secret of a client; False if there is none."""
        statement = (
            delete(_SECRET)
            .where(_SECRET.c.client_key == key, _SECRET.c.id == secret_id)
            .returning(_SECRET.c.id)
        )
        return (await self.session.execute(statement)).first() is not None

    async def note_use(self, key: UUID, now: datetime) -> None:
        """Note when the client was used last, past the version, which counts the changes of people."""
        connection = await self.session.connection()
        await connection.execute(_USED, {"key": key, "now": now})

    async def _find(self, query: Select[Any], values: dict[str, Any]) -> FoundClient | None:
        connection = await self.session.connection()
        rows = (await connection.execute(query, values)).all()
        if not rows:
            return None
        first = rows[0]
        return FoundClient(
            id=first.id,
            client_id=first.client_id,
            source=first.source,
            organization_id=first.organization_id,
            name=first.name,
            registered=first.registered,
            policy=first.policy,
            fingerprint=first.fingerprint,
            document_good_until=first.document_good_until,
            is_off=bool(first.is_off),
            secrets=tuple(
                (row.secret_id, row.secret_hash, row.expires_at, row.sealed)
                for row in rows
                if row.secret_id is not None
            ),
        )
