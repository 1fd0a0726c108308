"""Acting in another's name: begun with a reason and a fresh sign-in, seen by the person, over in half an hour.

Whether it may go on is `acting`'s to say, whenever the session is read; here it is begun and, where it is known that
it may not go on, put an end to.
"""

import unicodedata
from dataclasses import dataclass, field

from portico.access.errors import RightsNotHeld
from portico.audit.services import record
from portico.audit.types import Outcome
from portico.core.errors import PorticoError
from portico.core.ids import PrincipalId, SessionId, UserId
from portico.db.unit import Unit
from portico.http.access import PersonNeeded
from portico.http.authentication import CredentialKind, Principal
from portico.messaging import EventBus
from portico.runtime import Runtime
from portico.sessions.errors import OwnAccount, PersonInactive, ReasonInvalid, SessionEnded
from portico.sessions.events import ImpersonationStarted
from portico.sessions.repositories import Acting, ImpersonationRepository, LiveSession, SessionRepository
from portico.sessions.services.access_tokens import AccessToken, AccessTokens
from portico.sessions.services.acting import is_confirmed, may_impersonate, outranks
from portico.sessions.services.ending import SessionEnding
from portico.sessions.services.opening import OpenedSession, SessionOpening
from portico.sessions.services.page_sessions import PageSessions
from portico.sessions.services.sessions import Sessions
from portico.sessions.types import LONGEST_REASON, Transport
from portico.users.errors import UserNotFound
from portico.users.types import UserStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedImpersonation:
    """What the actor is given: tokens, or the cookie of a browser session."""

    opened: OpenedSession
    access_token: AccessToken | None = field(default=None, repr=False)


class Impersonations:
    """Begins and ends impersonations."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def start(
        self, user_id: UserId, *, actor: Principal, reason: str, transport: Transport = Transport.BODY
    ) -> StartedImpersonation:
        """Let the actor act in a person's name. His own session lives on, and the other ends with it.

        Raises:
            PersonNeeded: no person at a keyboard, or one who acts in another's name already (403).
            ReasonInvalid: the reason is empty, too long or no plain text (422).
            UserNotFound: never there or deleted (404).
            OwnAccount, PersonInactive: himself, or switched off; kept on the trail (409).
            RightsNotHeld: the actor lacks the permission, or something that a role of the person's holds; kept (403).
            SessionEnded: the actor's own session is good no more (401).
        """
        if actor.session_id is None or actor.actor_id is not None:
            raise PersonNeeded
        stated = plain_reason(reason)
        async with self._unit:
            person, own = await self._locked(user_id, actor, actor.session_id)
            if refusal := self._refusal(person, own):
                raise self._refused(person.user_id, actor, refusal, stated)
            opening = SessionOpening(self._runtime, self._unit)
            opened = await opening.open_acting(user_id, own, reason=stated, transport=transport)
            await self._announce(opened.session, actor, stated)
        access_token = None
        if transport is not Transport.PAGE:
            access_token = self._runtime.get(AccessTokens).mint(opened.session)
        return StartedImpersonation(opened=opened, access_token=access_token)

    async def leave(self, principal: Principal) -> str | None:
        """End the impersonation at a browser; return a new cookie for the actor's own session, if that lives on.

        Only who comes by the cookie gets one: a token of the API is no way to a browser session.
        """
        if principal.actor_id is None or principal.session_id is None:
            return None
        session_id = principal.session_id
        async with self._unit:
            sessions = SessionRepository(self._unit.session)
            here = await sessions.find_live(session_id, self._runtime.clock.now())
            await Sessions(self._runtime, self._unit).log_out(
                UserId(principal.id), session_id, actor=principal
            )
            if here is None or not here.is_page or principal.credential is not CredentialKind.COOKIE:
                return None
            return await self._own_cookie(here)

    async def end_by(self, actor_id: UserId) -> int:
        """End everything that this person does in others' names; return how much there was."""
        async with self._unit:
            acting = await ImpersonationRepository(self._unit.session).list_by(actor_id)
            return await SessionEnding(self._runtime, self._unit).end_acting(acting)

    async def end_unfounded(self, user_id: UserId) -> int:
        """End those with this person, on either side, that may not go on with the roles of now."""
        async with self._unit:
            acting = await ImpersonationRepository(self._unit.session).list_with(user_id)
            unfounded = [each for each in acting if not await self._goes_on(each)]
            return await SessionEnding(self._runtime, self._unit).end_acting(unfounded)

    async def _goes_on(self, acting: Acting) -> bool:
        session = self._unit.session
        found = await SessionRepository(session).find_live(acting.id, self._runtime.clock.now())
        return await is_confirmed(self._runtime, session, found)

    async def _locked(
        self, user_id: UserId, actor: Principal, session_id: SessionId
    ) -> tuple["_Person", LiveSession]:
        """Return the person and the actor's session; nobody changes either of the two people before the commit."""
        sessions = SessionRepository(self._unit.session)
        statuses = {}
        for each in sorted({user_id, actor.id}):
            locked = await sessions.lock_user(each)
            statuses[each] = locked.status if locked else None
        own = await sessions.find_live(session_id, self._runtime.clock.now())
        if own is None or own.user_id != actor.id or own.actor_id is not None:
            raise SessionEnded
        status = statuses[user_id]
        if status is None:
            raise UserNotFound
        roles = await sessions.list_roles(user_id)
        return _Person(user_id, status, roles), own

    def _refusal(self, person: "_Person", own: LiveSession) -> type[PorticoError] | None:
        if person.user_id == own.user_id:
            return OwnAccount
        if not may_impersonate(self._runtime, own.roles) or not outranks(
            self._runtime, own.roles, person.roles
        ):
            return RightsNotHeld
        return PersonInactive if person.status is not UserStatus.ACTIVE else None

    def _refused(
        self, user_id: UserId, actor: Principal, refusal: type[PorticoError], reason: str
    ) -> PorticoError:
        record(
            self._runtime,
            self._unit,
            "impersonation.refused",
            outcome=Outcome.REFUSED,
            actor=actor,
            subject=("user", user_id),
            reason=refusal.code,
            personal={"reason": reason},
        )
        return refusal()

    async def _announce(self, session: LiveSession, actor: Principal, reason: str) -> None:
        until = session.absolute_expires_at
        user_id, session_id = UserId(PrincipalId(session.user_id)), SessionId(session.id)
        record(
            self._runtime,
            self._unit,
            "impersonation.started",
            actor=actor,
            subject=("user", user_id),
            session_id=session_id,
            details={"until": until.isoformat(), "actor_session": str(session.actor_session_id)},
            personal={"reason": reason},
        )
        event = ImpersonationStarted(
            at=session.last_seen_at,
            session_id=session_id,
            user_id=user_id,
            actor_id=UserId(actor.id),
            until=until,
        )
        await self._runtime.get(EventBus).emit(event, self._unit)

    async def _own_cookie(self, here: LiveSession) -> str | None:
        sessions = SessionRepository(self._unit.session)
        if here.actor_session_id is None:
            return None
        own = await sessions.find_live(here.actor_session_id, self._runtime.clock.now())
        if own is None or not own.is_page:
            return None
        return await PageSessions(self._runtime, self._unit).renew(SessionId(own.id))


@dataclass(frozen=True, slots=True)
class _Person:
    user_id: UserId
    status: UserStatus
    roles: frozenset[str]


def plain_reason(text: str) -> str:
    """Return the reason in one line of plain text, as it is shown to the person.

    Raises:
        ReasonInvalid: empty, too long, or with control characters or marks that turn the reading direction (422).
    """
    reason = " ".join(unicodedata.normalize("NFC", text).split(" ")).strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise ReasonInvalid
    if any(unicodedata.category(letter)[0] == "C" for letter in reason):
        raise ReasonInvalid
    return reason
