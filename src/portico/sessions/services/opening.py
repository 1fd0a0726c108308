"""Opens a session: the one place where somebody becomes signed in, whichever way he proved who he is.

Everything that was known before the transaction is asked again inside it, with the person's row locked, so that a
deactivation, a deletion or a password change that comes meanwhile either sees the new session and ends it, or is
seen here and refuses it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from portico.audit.services import record
from portico.audit.types import Outcome
from portico.core import failpoints
from portico.core.context import current_request
from portico.core.crypto import digest
from portico.core.entropy import random_token
from portico.core.ids import PrincipalId, SessionId, UserId, new_id
from portico.credentials.devices import device_cookie, device_known_to
from portico.db.unit import Unit
from portico.messaging import EventBus
from portico.runtime import Runtime
from portico.sessions.devices import bounded_user_agent, device_name
from portico.sessions.errors import SessionEnded, TooManySessions
from portico.sessions.events import SessionCreated
from portico.sessions.places import NoPlaces, Places
from portico.sessions.repositories import LiveSession, LockedPerson, SessionRepository, SignInFacts
from portico.sessions.services.ending import SessionEnding
from portico.sessions.settings import SessionsSettings
from portico.sessions.types import AuthMethod, SessionEnd, SessionLimitPolicy, Transport
from portico.tokens.services import TokenFamilies
from portico.tokens.types import RefreshToken
from portico.users.types import UserStatus

NEW_ACCOUNT = timedelta(days=1)
"""An account younger than this that never signed in is told nothing about its first device."""

type Admission = Callable[[LockedPerson, SignInFacts], Awaitable[None]]
"""Looks at what is true inside the transaction, and raises what refuses the sign-in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSession:
    """A session that was just made: the only moment at which its secrets are known."""

    session: LiveSession
    is_new_device: bool = False
    device_cookie: str = field(default="", repr=False)
    """Empty where somebody acts in the person's name: no device of the person's is known by that."""
    refresh_token: RefreshToken | None = field(default=None, repr=False)
    cookie: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visitor:
    """Where the request comes from, and whether this person signed in from there before."""

    user_agent: str | None
    client_address: str | None
    device_id: UUID
    device_cookie: str = field(repr=False)
    is_known: bool

    @classmethod
    def of(cls, runtime: Runtime, user_id: UserId) -> Self:
        """Read the request under way."""
        request = current_request()
        known = device_known_to(runtime.secret, request.device_cookie, user_id)
        device_id, cookie = device_cookie(runtime.secret, request.device_cookie, user_id, new_id())
        return cls(
            user_agent=bounded_user_agent(request.user_agent),
            client_address=request.client_address,
            device_id=device_id,
            device_cookie=cookie,
            is_known=known is not None,
        )


async def _refuse_inactive(person: LockedPerson, _facts: SignInFacts) -> None:
    if person.status is not UserStatus.ACTIVE:
        raise SessionEnded


class SessionOpening:
    """Makes sessions."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._settings = runtime.section(SessionsSettings)

    async def open(
        self,
        user_id: UserId,
        *,
        amr: Sequence[AuthMethod],
        transport: Transport,
        aal: int = 1,
        replaces: UUID | None = None,
        admit: Admission = _refuse_inactive,
    ) -> OpenedSession:
        """Sign the person in: session, token family or cookie, audit entry and event, in one transaction.

        Limits on the number of sessions hold however many sign-ins run at once. `replaces` is the session that the
        browser had until now, whoever's: it ends (ASVS 5.0 V7.2.4).

        Raises:
            SessionEnded: the person is gone (401), or switched off where `admit` is not given.
            TooManySessions: the limit is reached and the setting refuses one more (409).
        """
        visitor = _Visitor.of(self._runtime, user_id)
        async with self._unit:
            sessions = SessionRepository(self._unit.session)
            person = await sessions.lock_user(user_id)
            if person is None:
                raise SessionEnded
            if failpoints.armed:
                await failpoints.reach("sessions.open.after_lock")
            now = self._runtime.clock.now()
            facts = await sessions.sign_in_facts(
                user_id, now=now, user_agent=visitor.user_agent, client_address=visitor.client_address
            )
            await admit(person, facts)
            await self._end_replaced(sessions, replaces)
            await self._make_room(sessions, user_id, facts, now)
            session = self._session(
                user_id, amr, aal, transport=transport, now=now, organization_id=facts.organization_id
            )
            cookie = random_token(self._runtime.entropy) if transport is Transport.PAGE else None
            await self._write(sessions, session, visitor, cookie)
            refresh_token = None if cookie else await self._start_family(session.id)
            is_new_device = _is_new_device(visitor, person, facts, now)
            await self._announce(session, is_new_device=is_new_device)
        return OpenedSession(
            session=session,
            is_new_device=is_new_device,
            device_cookie=visitor.device_cookie,
            refresh_token=refresh_token,
            cookie=cookie,
        )

    async def open_acting(
        self, user_id: UserId, actor: LiveSession, *, reason: str, transport: Transport
    ) -> OpenedSession:
        """Let the owner of `actor` act in the person's name; call in an open unit that has checked all of it.

        It is no sign-in of the person: it proves what the actor's own sign-in proved, counts for none of the person's
        devices or limits, and says nothing of where the actor is.
        """
        sessions, now = SessionRepository(self._unit.session), self._runtime.clock.now()
        until = min(now + self._settings.impersonation_ttl, actor.absolute_expires_at)
        facts = await sessions.sign_in_facts(user_id, now=now, user_agent=None, client_address=None)
        proven = self._session(
            user_id, (), actor.aal, transport=transport, now=now, organization_id=facts.organization_id
        )
        session = replace(
            proven,
            amr=actor.amr,
            auth_time=actor.auth_time,
            idle_expires_at=until,
            absolute_expires_at=until,
            actor_id=actor.user_id,
            actor_session_id=actor.id,
            reason=reason,
        )
        cookie = random_token(self._runtime.entropy) if transport is Transport.PAGE else None
        await self._write(sessions, session, None, cookie)
        refresh_token = None if cookie else await self._start_family(session.id, until - now)
        return OpenedSession(session=session, refresh_token=refresh_token, cookie=cookie)

    async def _end_replaced(self, sessions: SessionRepository, session_id: UUID | None) -> None:
        owner = await sessions.find_owner(session_id) if session_id is not None else None
        if session_id is not None and owner is not None:
            await SessionEnding(self._runtime, self._unit).end(
                UserId(PrincipalId(owner)), [session_id], reason=SessionEnd.REPLACED
            )

    async def _make_room(
        self, sessions: SessionRepository, user_id: UserId, facts: SignInFacts, now: datetime
    ) -> None:
        excess = facts.live_sessions + 1 - self._settings.max_sessions_per_user
        if excess <= 0:
            return
        if self._settings.on_limit is SessionLimitPolicy.REFUSE:
            record(
                self._runtime,
                self._unit,
                "session.refused",
                outcome=Outcome.REFUSED,
                subject=("user", user_id),
                reason=TooManySessions.code,
            )
            raise TooManySessions
        oldest = await sessions.list_longest_rested(user_id, now, limit=excess)
        await SessionEnding(self._runtime, self._unit).end(user_id, oldest, reason=SessionEnd.REPLACED)

    def _session(
        self,
        user_id: UserId,
        amr: Sequence[AuthMethod],
        aal: int,
        *,
        transport: Transport,
        now: datetime,
        organization_id: UUID | None = None,
    ) -> LiveSession:
        is_page = transport is Transport.PAGE
        settings = self._settings
        return LiveSession(
            id=new_id(),
            user_id=user_id,
            amr=tuple(method.value for method in amr),
            aal=aal,
            auth_time=now,
            last_seen_at=now,
            idle_expires_at=now + (settings.page_idle if is_page else settings.idle),
            absolute_expires_at=now + (settings.page_absolute if is_page else settings.absolute),
            active_organization_id=organization_id,
            is_page=is_page,
            roles=frozenset(),
        )

    async def _write(
        self,
        sessions: SessionRepository,
        session: LiveSession,
        visitor: _Visitor | None,
        cookie: str | None,
    ) -> None:
        places = self._runtime.find(Places) or NoPlaces()
        address = visitor.client_address if visitor else None
        await sessions.add_session(
            id=session.id,
            user_id=session.user_id,
            device_name=device_name(visitor.user_agent if visitor else current_request().user_agent),
            user_agent=visitor.user_agent if visitor else None,
            device_id=visitor.device_id if visitor else None,
            client_address=address,
            place=places.place_of(address),
            amr=list(session.amr),
            aal=session.aal,
            auth_time=session.auth_time,
            created_at=session.last_seen_at,
            last_seen_at=session.last_seen_at,
            idle_expires_at=session.idle_expires_at,
            absolute_expires_at=session.absolute_expires_at,
            cookie_hash=digest(cookie) if cookie else None,
            active_organization_id=session.active_organization_id,
            actor_id=session.actor_id,
            actor_session_id=session.actor_session_id,
            impersonation_reason=session.reason,
        )

    async def _start_family(self, session_id: UUID, limit: timedelta | None = None) -> RefreshToken:
        idle, absolute = limit or self._settings.idle, limit or self._settings.absolute
        return await TokenFamilies(self._runtime, self._unit).start(
            session_id=session_id, idle=idle, absolute=absolute
        )

    async def _announce(self, session: LiveSession, *, is_new_device: bool) -> None:
        runtime, unit = self._runtime, self._unit
        user_id, session_id = UserId(PrincipalId(session.user_id)), SessionId(session.id)
        places = runtime.find(Places) or NoPlaces()
        country = places.country_of(current_request().client_address)
        record(
            runtime,
            unit,
            "session.created",
            actor=user_id,
            subject=("user", user_id),
            session_id=session_id,
            details={"amr": list(session.amr), "new_device": is_new_device},
            personal={"country": country} if country else None,
        )
        event = SessionCreated(
            at=session.auth_time, session_id=session_id, user_id=user_id, is_new_device=is_new_device
        )
        await runtime.get(EventBus).emit(event, unit)


def _is_new_device(visitor: _Visitor, person: LockedPerson, facts: SignInFacts, now: datetime) -> bool:
    """Tell whether the person should be told; programs keep no cookies, so the same one at the same place is known."""
    if visitor.is_known or facts.knows_device:
        return False
    return facts.has_signed_in or person.created_at < now - NEW_ACCOUNT
