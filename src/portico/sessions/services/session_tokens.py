"""Refreshing a session: rotation of its refresh token, and everything about it asked again, in one transaction.

Two statements decide: the family's compare-and-set, and an UPDATE of the session that finds a row only if session,
person and account are still good (CVE-2023-22492, CVE-2026-43983). Nothing here is ever answered from a cache.
"""

from dataclasses import dataclass, field

from portico.core import failpoints
from portico.core.ids import PrincipalId, UserId
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.runtime import Runtime
from portico.sessions.errors import SessionEnded
from portico.sessions.repositories import (
    ImpersonationRepository,
    LiveSession,
    RefreshTrips,
    SessionRepository,
)
from portico.sessions.services.access_tokens import AccessToken, AccessTokens
from portico.sessions.services.acting import confirmed
from portico.sessions.services.sessions import Sessions
from portico.sessions.settings import SessionsSettings
from portico.tokens.errors import RefreshTokenInvalid
from portico.tokens.services import TokenFamilies
from portico.tokens.types import RefreshToken, Rotation

POINTS_BETWEEN = frozenset({
    "tokens.rotate.before_write", "tokens.rotate.after_write", "sessions.refresh.after_rotation",
    "db.unit.before_commit", "db.unit.after_commit",
})  # fmt: skip
"""Failpoints inside the transaction of a refresh; where one is armed, the refresh goes where it is reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshedSession:
    """What a good refresh token gives."""

    session: LiveSession
    access_token: AccessToken
    refresh_token: RefreshToken = field(repr=False)


class SessionTokens:
    """Exchanges refresh tokens of sessions, and ends a session by its refresh token."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._settings = runtime.section(SessionsSettings)

    async def refresh(self, token: str) -> RefreshedSession:
        """Rotate the refresh token and make an access token.

        The loser of a race within the grace window gets the winner's refresh token and an access token of his own.

        Raises:
            RefreshTokenInvalid: malformed, expired, ended, unknown, or not a session's (401).
            RefreshTokenReplayed: used before; kept, the session has ended with it (401).
            SessionEnded: the session or its person is no longer good; nothing was rotated (401).
        """
        if self._unit.is_untouched and not failpoints.armed.keys() & POINTS_BETWEEN:
            refreshed = await self._refreshed_in_one_trip(token)
            if refreshed is not None:
                return refreshed
        return await self._refreshed(token)

    async def log_out(self, principal: Principal | None, token: str | None) -> None:
        """End the caller's session and that of a genuine refresh token, of whatever generation it is.

        Raises:
            RefreshTokenInvalid: not a refresh token of ours, and nobody is signed in (401).
        """
        async with self._unit:
            sessions = Sessions(self._runtime, self._unit)
            if principal is not None and principal.session_id is not None:
                await sessions.log_out(UserId(principal.id), principal.session_id, actor=principal)
            if token is not None:
                await self._log_out_holder(sessions, token, is_signed_in=principal is not None)

    async def _log_out_holder(self, sessions: Sessions, token: str, *, is_signed_in: bool) -> None:
        try:
            family = await TokenFamilies(self._runtime, self._unit).family_of(token)
        except RefreshTokenInvalid:
            if is_signed_in:
                return
            raise
        if family.session_id is None:
            raise RefreshTokenInvalid
        owner = await SessionRepository(self._unit.session).find_owner(family.session_id)
        if owner is None:
            return
        acting = await ImpersonationRepository(self._unit.session).list_among([family.session_id])
        actor_id = next((each.actor_id for each in acting if each.id == family.session_id), None)
        await sessions.log_out(UserId(PrincipalId(owner)), family.session_id, actor=actor_id)

    async def _refreshed_in_one_trip(self, token: str) -> RefreshedSession | None:
        """Do the good case; None for every other, in which nothing was written."""
        families, now = TokenFamilies(self._runtime, self._unit), self._runtime.clock.now()
        claims = families.read(token)
        session = await RefreshTrips(self._runtime.database.trips).refresh(
            claims.family_id, claims.counter, now=now, idle_until=now + self._settings.idle
        )
        if session is None:
            return None
        return RefreshedSession(
            session=session,
            access_token=self._runtime.get(AccessTokens).mint(session),
            refresh_token=families.child_of(claims),
        )

    async def _refreshed(self, token: str) -> RefreshedSession:
        async with self._unit:
            rotation = await TokenFamilies(self._runtime, self._unit).rotate(
                token, grace=self._settings.refresh_grace, idle=self._settings.idle
            )
            if failpoints.armed:
                await failpoints.reach("sessions.refresh.after_rotation")
            session = await self._renewed(rotation)
            access_token = self._runtime.get(AccessTokens).mint(session)
        return RefreshedSession(
            session=session, access_token=access_token, refresh_token=rotation.refresh_token
        )

    async def _renewed(self, rotation: Rotation) -> LiveSession:
        family = rotation.family
        if family.session_id is None:  # an OAuth grant's: its holder goes to the token endpoint
            raise RefreshTokenInvalid
        sessions, now = SessionRepository(self._unit.session), self._runtime.clock.now()
        session = await sessions.renew(family.session_id, now=now, idle_until=family.idle_expires_at)
        if session is None:
            raise SessionEnded
        if session.actor_id is None:
            return session
        return await confirmed(self._runtime, self._unit.session, await sessions.find_live(session.id, now))
