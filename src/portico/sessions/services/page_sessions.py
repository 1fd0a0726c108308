"""Sessions of the browser: a cookie that is looked up by its hash, with limits of its own.

The cookie is 256 bits of chance; the database holds its SHA-256 only (NIST SP 800-63B-4, section 5.1). A new value
at each change of privilege, the old one is good for nothing (ASVS 5.0 V7.2.4; CVE-2024-28197).
"""

from portico.coordination.revocations import RevocationLog
from portico.core.crypto import digest
from portico.core.entropy import random_token
from portico.core.ids import SessionId, UserId
from portico.db.unit import Unit
from portico.http.authentication import CredentialKind, Principal
from portico.http.cookies import CookieNames, find_cookie
from portico.runtime import Runtime
from portico.sessions.errors import SessionEnded
from portico.sessions.repositories import SessionRepository
from portico.sessions.services.access_tokens import principal_of
from portico.sessions.services.acting import confirmed
from portico.sessions.services.believed import Belief, BelievedPrincipals, KeySpace
from portico.sessions.services.opening import OpenedSession, SessionOpening
from portico.sessions.services.sessions import Sessions
from portico.sessions.settings import SessionsSettings
from portico.sessions.types import AuthMethod, Transport

COOKIE_LENGTH = 43
"""Characters of 256 bits in base64url."""


class PageCookies:
    """Verifies session cookies; one a process."""

    def __init__(self, runtime: Runtime, believed: BelievedPrincipals) -> None:
        self._runtime = runtime
        self._believed = believed
        self._idle = runtime.section(SessionsSettings).page_idle
        self._name = CookieNames.of(runtime.settings).session
        self._space = KeySpace("page", runtime.settings.public_url)

    def value_in(self, header: str) -> str | None:
        """Return the session cookie of a `Cookie` header; None if it is missing, given twice, or of another length."""
        value = find_cookie(header, self._name)
        return value if value is not None and len(value) == COOKIE_LENGTH else None

    def find(self, value: str) -> Principal | None:
        """Return whom the cookie stands for if it was verified lately and may be believed; never waits."""
        return self._believed.find(self._space.key(value))

    async def verify(self, value: str) -> Principal | None:
        """Look the cookie up and remember what it stands for; None if it is unknown or its session is over."""
        try:
            return await self._believed.load(self._space.key(value), lambda: self._read(value))
        except SessionEnded:
            return None

    async def _read(self, value: str) -> Belief:
        async with self._runtime.reads() as reader:
            now = self._runtime.clock.now()
            found = await SessionRepository(reader).find_live_by_cookie(digest(value), now)
            session = await confirmed(self._runtime, reader, found)
        return Belief(
            principal=principal_of(session, CredentialKind.COOKIE),
            session_id=session.id,
            good_until=min(session.idle_expires_at, session.absolute_expires_at),
            never_after=session.absolute_expires_at,
            idle=self._idle,
            actor_session_id=session.actor_session_id,
        )


class PageSessions:
    """Starts, renews and ends browser sessions."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def start(
        self, user_id: UserId, *, amr: tuple[AuthMethod, ...], replaces: SessionId | None = None
    ) -> OpenedSession:
        """Sign a person in in this browser; `cookie` and `device_cookie` of the answer go into the response.

        For ways in other than the password (a proven mail link); `SignIn` is the way with it.

        Raises:
            SessionEnded: the person is gone or switched off (401).
            TooManySessions: the limit is reached and the setting refuses one more (409).
        """
        return await SessionOpening(self._runtime, self._unit).open(
            user_id, amr=amr, transport=Transport.PAGE, replaces=replaces
        )

    async def renew(self, session_id: SessionId) -> str:
        """Give the session a new cookie, for a change of privilege, and return its value.

        Raises:
            SessionEnded: it has ended in the meantime, or is none of the browser's (401).
        """
        value = random_token(self._runtime.entropy)
        async with self._unit:
            sessions = SessionRepository(self._unit.session)
            if not await sessions.replace_cookie(session_id, cookie_hash=digest(value)):
                raise SessionEnded
            await self._runtime.get(RevocationLog).append(self._unit, [f"session:{session_id}"])
        return value

    async def authenticate_again(self, session_id: SessionId, *, amr: tuple[AuthMethod, ...]) -> str:
        """Note that the person proved anew who he is, under a new cookie; return its value.

        Raises:
            SessionEnded: it has ended in the meantime, or is none of the browser's (401).
        """
        async with self._unit:
            sessions = SessionRepository(self._unit.session)
            now = self._runtime.clock.now()
            if not await sessions.reauthenticate(
                session_id, now=now, amr=[each.value for each in amr], aal=1
            ):
                raise SessionEnded
            return await self.renew(session_id)

    async def end(self, session_id: SessionId, *, user_id: UserId) -> None:
        """Sign out; nothing happens where the session has ended already."""
        await Sessions(self._runtime, self._unit).log_out(user_id, session_id)
