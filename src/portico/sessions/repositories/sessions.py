"""SQL of sessions. What runs on every sign-in, refresh or unremembered token is a Core statement built once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from portico.access.models import RoleGrant
from portico.core.ids import SessionId
from portico.db.repositories import Repository
from portico.http.authentication import Impersonation
from portico.sessions.models import Session
from portico.sessions.repositories.active_organizations import (
    ACTIVE_ORGANIZATION,
    organization_to_begin_with,
)
from portico.sessions.types import SessionEnd
from portico.users.models import EmailAddress, User
from portico.users.types import UserStatus

_SESSION = cast("Table", Session.__table__)
_USER = cast("Table", User.__table__)
_GRANT = cast("Table", RoleGrant.__table__)
_EMAIL = cast("Table", EmailAddress.__table__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSession:
    """What a request needs to know of a session that is good now, and of its person.

    With `actor_id` somebody else acts in it, and it is good only if `services.acting` says so.
    """

    id: UUID
    user_id: UUID
    amr: tuple[str, ...]
    aal: int
    auth_time: datetime
    last_seen_at: datetime
    idle_expires_at: datetime
    absolute_expires_at: datetime
    active_organization_id: UUID | None
    is_page: bool
    roles: frozenset[str]
    actor_id: UUID | None = None
    actor_session_id: UUID | None = None
    reason: str | None = None
    """Why somebody else acts in it."""
    impersonation: Impersonation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPerson:
    """A living person whom nobody else can change until the commit."""

    status: UserStatus
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInFacts:
    """What a sign-in checks once more inside its transaction, with the person's row locked.

    Sessions in which others act in his name count for nothing here.
    """

    is_verified: bool
    live_sessions: int
    has_signed_in: bool
    knows_device: bool
    organization_id: UUID | None = None
    """In which organization the new session works."""


def is_live(now: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Say of a session's row that it was not ended and has not expired."""
    return and_(
        _SESSION.c.ended_at.is_(None),
        _SESSION.c.idle_expires_at > now,
        _SESSION.c.absolute_expires_at > now,
    )


def is_active() -> ColumnElement[bool]:
    """Say of a person's row that he is neither switched off nor deleted."""
    return and_(_USER.c.status == UserStatus.ACTIVE, _USER.c.deleted_at.is_(None))


NOW: ColumnElement[datetime] = bindparam("now", type_=_SESSION.c.last_seen_at.type)
_USER_ID: ColumnElement[UUID] = bindparam("user_id", type_=_USER.c.id.type)
IDLE_UNTIL: ColumnElement[datetime] = bindparam("idle_until", type_=_SESSION.c.idle_expires_at.type)
SESSION_ID: ColumnElement[UUID] = bindparam("session_id", type_=_SESSION.c.id.type)

FACTS = (
    _SESSION.c.id,
    _SESSION.c.user_id,
    _SESSION.c.amr,
    _SESSION.c.aal,
    _SESSION.c.auth_time,
    _SESSION.c.last_seen_at,
    _SESSION.c.idle_expires_at,
    _SESSION.c.absolute_expires_at,
    ACTIVE_ORGANIZATION,
    _SESSION.c.cookie_hash.is_not(None).label("is_page"),
    _SESSION.c.actor_id,
    _SESSION.c.actor_session_id,
    _SESSION.c.impersonation_reason,
)

_LIVE = (
    select(*FACTS, _GRANT.c.role)
    .select_from(
        _SESSION.join(_USER, _USER.c.id == _SESSION.c.user_id).outerjoin(
            _GRANT, _GRANT.c.principal_id == _SESSION.c.user_id
        )
    )
    .where(is_live(NOW), is_active())
)
_LIVE_BY_ID = _LIVE.where(_SESSION.c.id == SESSION_ID)
_LIVE_BY_COOKIE = _LIVE.where(
    _SESSION.c.cookie_hash == bindparam("cookie_hash", type_=_SESSION.c.cookie_hash.type)
)

_LOCK_USER = (
    select(_USER.c.status, _USER.c.created_at)
    .where(_USER.c.id == _USER_ID, _USER.c.deleted_at.is_(None))
    .with_for_update(key_share=True)
)

_OWN_SESSIONS = select(_SESSION.c.id).where(_SESSION.c.user_id == _USER_ID, _SESSION.c.actor_id.is_(None))
_SIGN_IN_FACTS = select(
    exists(
        select(_EMAIL.c.id).where(
            _EMAIL.c.user_id == _USER_ID,
            _EMAIL.c.is_primary,
            _EMAIL.c.verified_at.is_not(None),
            _EMAIL.c.released_at.is_(None),
        )
    ).label("is_verified"),
    select(func.count())
    .select_from(_SESSION)
    .where(_SESSION.c.user_id == _USER_ID, _SESSION.c.actor_id.is_(None), is_live(NOW))
    .scalar_subquery()
    .label("live_sessions"),
    exists(_OWN_SESSIONS).label("has_signed_in"),
    exists(
        _OWN_SESSIONS.where(
            # Programs that say nothing of themselves are recognised, too: NULL is the same as NULL here.
            _SESSION.c.user_agent.is_not_distinct_from(
                bindparam("user_agent", type_=_SESSION.c.user_agent.type)
            ),
            _SESSION.c.client_address.is_not_distinct_from(
                bindparam("client_address", type_=_SESSION.c.client_address.type)
            ),
        )
    ).label("knows_device"),
    organization_to_begin_with(_USER_ID).label("organization_id"),
)
_ADD = insert(_SESSION)
_RENEW = (
    update(_SESSION)
    .where(
        _SESSION.c.id == SESSION_ID,
        is_live(NOW),
        exists(select(_USER.c.id).where(_USER.c.id == _SESSION.c.user_id, is_active())),
    )
    .values(last_seen_at=NOW, idle_expires_at=IDLE_UNTIL)
    .returning(*FACTS)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNotice:
    """What a mail about a session tells, and to whom it goes."""

    email: str
    locale: str
    timezone: str
    full_name: str | None
    username: str | None
    device_name: str
    place: str | None
    client_address: str | None
    impersonation_reason: str | None


class SessionRepository(Repository[Session]):
    """The sessions."""

    async def find_live(self, session_id: UUID, now: datetime) -> LiveSession | None:
        """Return the session if it, its person and the person's account are good at `now`; one statement."""
        connection = await self.session.connection()
        found = await connection.execute(_LIVE_BY_ID, {"session_id": session_id, "now": now})
        return _live_session(found.all())

    async def find_live_by_cookie(self, cookie_hash: bytes, now: datetime) -> LiveSession | None:
        """Return the browser session with this cookie, on the same terms."""
        connection = await self.session.connection()
        found = await connection.execute(_LIVE_BY_COOKIE, {"cookie_hash": cookie_hash, "now": now})
        return _live_session(found.all())

    async def lock_user(self, user_id: UUID) -> LockedPerson | None:
        """Keep others from changing this person or his sessions until the commit; None if he is deleted.

        Whoever ends or adds several sessions of one person takes this lock first, then token families, then
        sessions: one order for all, so that no two of them wait for each other.
        """
        connection = await self.session.connection()
        row = (await connection.execute(_LOCK_USER, {"user_id": user_id})).first()
        return LockedPerson(status=row.status, created_at=row.created_at) if row else None

    async def list_roles(self, user_id: UUID) -> frozenset[str]:
        """Return the platform roles that somebody holds."""
        query = select(_GRANT.c.role).where(_GRANT.c.principal_id == user_id)
        return frozenset(role.value for role in (await self.session.scalars(query)).all())

    async def sign_in_facts(
        self,
        user_id: UUID,
        *,
        now: datetime,
        user_agent: str | None,
        client_address: str | None,
    ) -> SignInFacts:
        """Read what has to be true still; call with the person locked, so that it stays true until the commit."""
        connection = await self.session.connection()
        found = await connection.execute(
            _SIGN_IN_FACTS,
            {
                "user_id": user_id,
                "now": now,
                "user_agent": user_agent,
                "client_address": client_address,
            },
        )
        return SignInFacts(**found.mappings().one())

    async def add_session(self, **values: Any) -> None:
        """Write one row, without the ORM: sign-in is counted in microseconds."""
        connection = await self.session.connection()
        await connection.execute(_ADD, values)

    async def renew(self, session_id: UUID, *, now: datetime, idle_until: datetime) -> LiveSession | None:
        """Note that the session was used and move its idle limit, if it and its person are good; one statement."""
        values = {"session_id": session_id, "now": now, "idle_until": idle_until}
        connection = await self.session.connection()
        row = (await connection.execute(_RENEW, values)).one_or_none()
        return live_session_of(row, frozenset()) if row else None

    async def find_for_notice(self, session_id: UUID) -> DeviceNotice | None:
        """Return what the mail about this session tells; None without an address to send it to."""
        query = (
            select(
                _EMAIL.c.address.label("email"),
                _USER.c.locale,
                _USER.c.timezone,
                _USER.c.full_name,
                _USER.c.username,
                _SESSION.c.device_name,
                _SESSION.c.place,
                _SESSION.c.client_address,
                _SESSION.c.impersonation_reason,
            )
            .join_from(_SESSION, _USER, _USER.c.id == _SESSION.c.user_id)
            .join(_EMAIL, _EMAIL.c.user_id == _USER.c.id)
            .where(_SESSION.c.id == session_id, _EMAIL.c.is_primary, _EMAIL.c.released_at.is_(None))
        )
        row = (await self.session.execute(query)).mappings().one_or_none()
        return DeviceNotice(**row) if row else None

    async def list_live(self, user_id: UUID, now: datetime) -> Sequence[Session]:
        """Return a person's live sessions, the last used first."""
        query = (
            select(Session)
            .where(
                Session.user_id == user_id,
                Session.ended_at.is_(None),
                Session.idle_expires_at > now,
                Session.absolute_expires_at > now,
            )
            .order_by(Session.last_seen_at.desc(), Session.id.desc())
        )
        return (await self.session.scalars(query)).all()

    async def list_unended(self, user_id: UUID, *, except_id: UUID | None = None) -> list[UUID]:
        """Return the ids of a person's sessions that were not ended, expired or not."""
        query = select(_SESSION.c.id).where(_SESSION.c.user_id == user_id, _SESSION.c.ended_at.is_(None))
        if except_id is not None:
            query = query.where(_SESSION.c.id != except_id)
        return list((await self.session.scalars(query.order_by(_SESSION.c.id))).all())

    async def list_longest_rested(self, user_id: UUID, now: datetime, *, limit: int) -> list[UUID]:
        """Return the live sessions of a person that were used least lately, by himself."""
        query = _OWN_SESSIONS.where(is_live(NOW))
        query = query.order_by(_SESSION.c.last_seen_at, _SESSION.c.id).limit(limit)
        return list((await self.session.scalars(query, {"user_id": user_id, "now": now})).all())

    async def find_owner(self, session_id: UUID) -> UUID | None:
        """Return whose session this is, or None if there is no such session that was not ended."""
        query = select(_SESSION.c.user_id).where(_SESSION.c.id == session_id, _SESSION.c.ended_at.is_(None))
        owner: UUID | None = await self.session.scalar(query)
        return owner

    async def end(
        self, session_ids: Collection[UUID], *, now: datetime, reason: SessionEnd
    ) -> list[SessionId]:
        """End those of the sessions that were not ended before; return which."""
        statement = (
            update(_SESSION)
            .where(_SESSION.c.id.in_(session_ids), _SESSION.c.ended_at.is_(None))
            .values(ended_at=now, ended_reason=reason, cookie_hash=None)
            .returning(_SESSION.c.id)
        )
        return [SessionId(id_) for id_ in (await self.session.scalars(statement)).all()]

    async def replace_cookie(self, session_id: UUID, *, cookie_hash: bytes) -> bool:
        """Give a browser session another cookie; the old one is good for nothing. False if it has ended."""
        statement = (
            update(_SESSION)
            .where(
                _SESSION.c.id == session_id,
                _SESSION.c.ended_at.is_(None),
                _SESSION.c.cookie_hash.is_not(None),
            )
            .values(cookie_hash=cookie_hash)
            .returning(_SESSION.c.id)
        )
        return (await self.session.execute(statement)).first() is not None

    async def reauthenticate(self, session_id: UUID, *, now: datetime, amr: Sequence[str], aal: int) -> bool:
        """Note a fresh authentication; False if the session has ended."""
        statement = (
            update(_SESSION)
            .where(_SESSION.c.id == session_id, _SESSION.c.ended_at.is_(None))
            .values(auth_time=now, amr=list(amr), aal=aal)
            .returning(_SESSION.c.id)
        )
        return (await self.session.execute(statement)).first() is not None

    async def note_use(
        self, session_ids: Collection[UUID], *, now: datetime, page_idle_until: datetime
    ) -> None:
        """Note that these sessions were used lately; for browser sessions this moves the idle limit too.

        Rows that somebody else is changing are left for the next time: this write waits for nobody, so that it can
        take part in no deadlock.
        """
        _s = _SESSION.c
        free = (
            select(_s.id)
            .where(_s.id.in_(session_ids), _s.ended_at.is_(None), _s.last_seen_at < now)
            .with_for_update(skip_locked=True, key_share=True)
        )
        idle_until = case(
            (_s.absolute_expires_at < page_idle_until, _s.absolute_expires_at), else_=page_idle_until
        )
        await self.session.execute(
            update(_SESSION)
            .where(_s.id.in_(free))
            .values(
                last_seen_at=now,
                idle_expires_at=case((_s.cookie_hash.is_not(None), idle_until), else_=_s.idle_expires_at),
            )
        )

    async def list_outlived(
        self, before: datetime, *, impersonations_before: datetime, limit: int
    ) -> list[UUID]:
        """Return sessions that were over before `before`; what others did in a person's name is kept longer."""
        is_own = _SESSION.c.actor_id.is_(None)
        query = select(_SESSION.c.id).where(
            or_(and_(is_own, _outlived(before)), and_(~is_own, _outlived(impersonations_before)))
        )
        return list((await self.session.scalars(query.limit(limit))).all())

    async def delete_outlived(self, session_ids: Collection[UUID], before: datetime) -> None:
        """Delete those of the sessions that were over before `before`."""
        await self.session.execute(delete(_SESSION).where(_SESSION.c.id.in_(session_ids), _outlived(before)))

    async def delete_of(self, user_id: UUID) -> None:
        """Delete everything that is known of a person's sessions."""
        await self.session.execute(delete(_SESSION).where(_SESSION.c.user_id == user_id))

    async def list_all(self, user_id: UUID) -> Sequence[Session]:
        """Return a person's sessions, ended ones included, the newest first."""
        query = select(Session).where(Session.user_id == user_id).order_by(Session.id.desc())
        return (await self.session.scalars(query)).all()


def _outlived(before: datetime) -> ColumnElement[bool]:
    return or_(
        _SESSION.c.ended_at < before,
        _SESSION.c.idle_expires_at < before,
        _SESSION.c.absolute_expires_at < before,
    )


def _live_session(rows: Sequence[Any]) -> LiveSession | None:
    """Fold the rows of one session, one a role, into a value."""
    if not rows:
        return None
    return live_session_of(rows[0], frozenset(row.role.value for row in rows if row.role is not None))


def live_session_of(row: Any, roles: frozenset[str]) -> LiveSession:
    """Make the value of a row of `FACTS`."""
    return LiveSession(
        id=row.id,
        user_id=row.user_id,
        amr=tuple(row.amr),
        aal=row.aal,
        auth_time=row.auth_time,
        last_seen_at=row.last_seen_at,
        idle_expires_at=row.idle_expires_at,
        absolute_expires_at=row.absolute_expires_at,
        active_organization_id=row.active_organization_id,
        is_page=bool(row.is_page),
        roles=roles,
        actor_id=row.actor_id,
        actor_session_id=row.actor_session_id,
        reason=row.impersonation_reason,
    )
