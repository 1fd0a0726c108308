"""SQL of grants. One UPDATE decides which of several who show a code is the first (RFC 6749, section 4.1.2)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, exists, insert, or_, select, update

from portico.access.models import RoleGrant, Tenant
from portico.db.repositories import Repository
from portico.oauth.models import OAuthClient, OAuthGrant
from portico.oauth.types import GrantEnd, GrantType, SenderKey
from portico.sessions.models import Session
from portico.tokens.models import TokenFamily
from portico.users.models import User
from portico.users.types import UserStatus

_GRANT = cast("Table", OAuthGrant.__table__)
_CLIENT = cast("Table", OAuthClient.__table__)
_FAMILY = cast("Table", TokenFamily.__table__)
_SESSION = cast("Table", Session.__table__)
_TENANT = cast("Table", Tenant.__table__)
_USER = cast("Table", User.__table__)
_ROLE = cast("Table", RoleGrant.__table__)

FACTS = (
    _GRANT.c.id,
    _GRANT.c.client_key,
    _GRANT.c.user_id,
    _GRANT.c.organization_id,
    _GRANT.c.session_id,
    _GRANT.c.kind,
    _GRANT.c.is_offline,
    _GRANT.c.scope,
    _GRANT.c.resources,
    _GRANT.c.details,
    _GRANT.c.context,
    _GRANT.c.jkt,
    _GRANT.c.x5t,
    _GRANT.c.redirect_uri,
    _GRANT.c.challenge,
    _GRANT.c.expires_at,
    _GRANT.c.ended_at,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGrant:
    """A grant as the database has it."""

    id: UUID
    client_key: UUID
    user_id: UUID | None
    organization_id: UUID | None
    session_id: UUID | None
    kind: GrantType
    is_offline: bool
    scope: str
    resources: tuple[str, ...]
    details: tuple[dict[str, Any], ...]
    context: dict[str, Any]
    sender: SenderKey
    redirect_uri: str | None
    challenge: str | None
    expires_at: datetime | None
    ended_at: datetime | None

    def is_over(self, now: datetime) -> bool:
        """Tell whether it has outlived the session for which it was given."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantState:
    """What an access token's grant is worth now."""

    is_good: bool
    session_id: UUID | None
    user_id: UUID | None
    organization_id: UUID | None
    roles: frozenset[str]
    """Platform roles of the person."""


_NOW: ColumnElement[datetime] = bindparam("now", type_=_GRANT.c.created_at.type)
_ID: ColumnElement[UUID] = bindparam("grant_id", type_=_GRANT.c.id.type)
_CODE: ColumnElement[bytes] = bindparam("hash", type_=_GRANT.c.code_hash.type)

WORKS = and_(
    _GRANT.c.ended_at.is_(None),
    ~exists().where(_TENANT.c.id == _GRANT.c.organization_id, _TENANT.c.disabled_at.is_not(None)),
)
"""The grant was not ended, and the organization in which it works, if any, is not switched off: as long as that is,
nothing comes of it."""

_ADD = insert(_GRANT)
_SPEND = (
    update(_GRANT)
    .where(
        _GRANT.c.code_hash == _CODE,
        _GRANT.c.code_spent_at.is_(None),
        _GRANT.c.code_expires_at > _NOW,
        WORKS,
    )
    .values(code_spent_at=_NOW, last_used_at=_NOW)
    .returning(*FACTS)
)
_BY_CODE = select(*FACTS, _GRANT.c.code_spent_at).where(_GRANT.c.code_hash == _CODE)
_BY_ID = select(*FACTS).where(_GRANT.c.id == _ID)
_WORKING = _BY_ID.where(WORKS)
_IS_ACTIVE = and_(_USER.c.status == UserStatus.ACTIVE, _USER.c.deleted_at.is_(None))
_HELD = _WORKING.where(
    or_(
        _GRANT.c.user_id.is_(None),
        exists().where(_USER.c.id == _GRANT.c.user_id, _IS_ACTIVE),
    ),
).with_for_update(of=_GRANT)
_STATE = (
    select(
        _GRANT.c.session_id,
        _GRANT.c.user_id,
        _GRANT.c.organization_id,
        _ROLE.c.role,
        and_(
            WORKS,
            _CLIENT.c.disabled_at.is_(None),
            or_(_GRANT.c.user_id.is_(None), _IS_ACTIVE),
        ).label("is_good"),
    )
    .select_from(
        _GRANT.join(_CLIENT, _CLIENT.c.id == _GRANT.c.client_key)
        .outerjoin(_USER, _USER.c.id == _GRANT.c.user_id)
        .outerjoin(_ROLE, _ROLE.c.principal_id == _GRANT.c.user_id)
    )
    .where(_GRANT.c.id == _ID)
)


class GrantRepository(Repository[OAuthGrant]):
    """The grants."""

    async def add_grant(self, **values: Any) -> None:
        """Write one row, without the ORM."""
        connection = await self.session.connection()
        await connection.execute(_ADD, values)

    async def spend_code(self, code_hash: bytes, now: datetime) -> FoundGrant | None:
        """Spend a code that is good now; of any number of callers exactly one gets the grant."""
        connection = await self.session.connection()
        row = (await connection.execute(_SPEND, {"hash": code_hash, "now": now})).one_or_none()
        return found_grant(row) if row else None

    async def find_by_code(self, code_hash: bytes) -> tuple[FoundGrant, datetime | None] | None:
        """Return the grant of a code, spent or not, and when it was spent."""
        connection = await self.session.connection()
        row = (await connection.execute(_BY_CODE, {"hash": code_hash})).one_or_none()
        return (found_grant(row), row.code_spent_at) if row else None

    async def find(self, grant_id: UUID) -> FoundGrant | None:
        """Return a grant, ended or not."""
        connection = await self.session.connection()
        row = (await connection.execute(_BY_ID, {"grant_id": grant_id})).one_or_none()
        return found_grant(row) if row else None

    async def find_working(self, grant_id: UUID) -> FoundGrant | None:
        """Return a grant of which tokens may come now; None if it has ended, or its organization is switched off."""
        connection = await self.session.connection()
        row = (await connection.execute(_WORKING, {"grant_id": grant_id})).one_or_none()
        return found_grant(row) if row else None

    async def hold(self, grant_id: UUID) -> FoundGrant | None:
        """Return a working grant that nobody ends until this transaction is over; None if its person is no good."""
        connection = await self.session.connection()
        row = (await connection.execute(_HELD, {"grant_id": grant_id})).one_or_none()
        return found_grant(row) if row else None

    async def hold_person(self, user_id: UUID) -> bool:
        """Keep a person from being ended until this transaction is over; False if he has been.

        Whoever ends him lists his grants only then, and finds what is written now.
        """
        person = select(_USER.c.id).where(_USER.c.id == user_id, _IS_ACTIVE).with_for_update(read=True)
        return (await self.session.execute(person)).first() is not None

    async def hold_session(self, session_id: UUID) -> datetime | None:
        """Keep a session from being ended likewise; return when it is over at the latest, None if it has ended."""
        session = (
            select(_SESSION.c.absolute_expires_at)
            .where(_SESSION.c.id == session_id, _SESSION.c.ended_at.is_(None))
            .with_for_update(read=True)
        )
        end: datetime | None = await self.session.scalar(session)
        return end

    async def lock_person(self, user_id: UUID) -> None:
        """Let nobody be given a grant in this person's name until the transaction is over."""
        await self.session.execute(
            select(_USER.c.id).where(_USER.c.id == user_id).with_for_update(key_share=True)
        )

    async def bind(self, grant_id: UUID, sender: SenderKey) -> None:
        """Bind a grant to the key of whoever fetches its first tokens."""
        await self.session.execute(
            update(_GRANT).where(_GRANT.c.id == grant_id).values(jkt=sender.jkt, x5t=sender.x5t)
        )

    async def find_state(self, grant_id: UUID) -> GrantState | None:
        """Return what tokens of the grant are worth now: itself, its client and its person; one statement."""
        connection = await self.session.connection()
        rows = (await connection.execute(_STATE, {"grant_id": grant_id})).all()
        if not rows:
            return None
        return GrantState(
            is_good=bool(rows[0].is_good),
            session_id=rows[0].session_id,
            user_id=rows[0].user_id,
            organization_id=rows[0].organization_id,
            roles=frozenset(row.role.value for row in rows if row.role is not None),
        )

    async def end(self, grant_ids: Collection[UUID], reason: GrantEnd, now: datetime) -> list[UUID]:
        """End those that were not ended; return which."""
        statement = (
            update(_GRANT)
            .where(_GRANT.c.id.in_(grant_ids), _GRANT.c.ended_at.is_(None))
            .values(ended_at=now, ended_reason=reason)
            .returning(_GRANT.c.id)
        )
        return list((await self.session.scalars(statement)).all())

    async def list_living(self, *conditions: ColumnElement[bool]) -> list[UUID]:
        """Return the ids of grants that were not ended, in the order in which they are locked everywhere."""
        query = select(_GRANT.c.id).where(_GRANT.c.ended_at.is_(None), *conditions).order_by(_GRANT.c.id)
        return list((await self.session.scalars(query)).all())

    async def list_of_person(self, user_id: UUID, client_key: UUID | None = None) -> list[UUID]:
        """Return a person's living grants, to one client or to all."""
        where = [_GRANT.c.user_id == user_id]
        if client_key is not None:
            where.append(_GRANT.c.client_key == client_key)
        return await self.list_living(*where)

    async def list_of_client(self, client_key: UUID) -> list[UUID]:
        """Return a client's living grants."""
        return await self.list_living(_GRANT.c.client_key == client_key)

    async def list_of_sessions(self, session_ids: Collection[UUID]) -> list[UUID]:
        """Return living grants that were given in these sessions and end with them."""
        return await self.list_living(_GRANT.c.session_id.in_(session_ids), _GRANT.c.is_offline.is_(False))

    async def list_outlived(self, now: datetime, limit: int) -> list[UUID]:
        """Return living grants whose session is over by its age."""
        query = select(_GRANT.c.id).where(_GRANT.c.ended_at.is_(None), _GRANT.c.expires_at <= now)
        return list((await self.session.scalars(query.order_by(_GRANT.c.id).limit(limit))).all())

    async def list_in_organization(self, organization_id: UUID, user_id: UUID) -> list[UUID]:
        """Return a person's living grants that work in an organization."""
        return await self.list_living(
            _GRANT.c.organization_id == organization_id, _GRANT.c.user_id == user_id
        )

    async def list_children(self, grant_ids: Collection[UUID]) -> list[UUID]:
        """Return living grants that came of exchanging tokens of these."""
        return await self.list_living(_GRANT.c.parent_id.in_(grant_ids))

    async def delete_of(self, user_id: UUID) -> None:
        """Delete everything that is known of a person's grants."""
        await self.session.execute(delete(_GRANT).where(_GRANT.c.user_id == user_id))

    async def remove_ended(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` grants of which nothing is good since `before`; return how many went."""
        has_family = (
            select(_FAMILY.c.id)
            .where(_FAMILY.c.grant_id == _GRANT.c.id, _FAMILY.c.ended_at.is_(None))
            .exists()
        )
        fetched = or_(_GRANT.c.code_expires_at.is_(None), _GRANT.c.code_expires_at < before)
        unused = and_(fetched, ~has_family, _GRANT.c.created_at < before)
        oldest = select(_GRANT.c.id).where(or_(_GRANT.c.ended_at < before, unused)).limit(limit)
        statement = delete(_GRANT).where(_GRANT.c.id.in_(oldest)).returning(_GRANT.c.id)
        return len((await self.session.execute(statement)).all())


def found_grant(row: Any) -> FoundGrant:
    """Return the value of a row of `FACTS`."""
    return FoundGrant(
        id=row.id,
        client_key=row.client_key,
        user_id=row.user_id,
        organization_id=row.organization_id,
        session_id=row.session_id,
        kind=row.kind,
        is_offline=bool(row.is_offline),
        scope=row.scope,
        resources=tuple(row.resources),
        details=tuple(row.details),
        context=row.context,
        sender=SenderKey(jkt=row.jkt, x5t=row.x5t),
        redirect_uri=row.redirect_uri,
        challenge=row.challenge,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
    )
