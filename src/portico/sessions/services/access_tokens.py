"""Access tokens: made at sign-in and refresh, verified once, then believed until something revokes them.

RFC 9068 JWTs. The signature tells that we made the token; that its session, person and rights are still there is
asked of the database, in one statement, and remembered in `BelievedPrincipals`.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from portico.core.ids import OrganizationId, PrincipalId, SessionId, new_id
from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from portico.keys.errors import TokenRejected
from portico.keys.services import Keyring
from portico.keys.types import KeyPurpose, TokenFault
from portico.runtime import Runtime
from portico.sessions.errors import SessionEnded
from portico.sessions.ports import ClientTokens
from portico.sessions.repositories import LiveSession, SessionRepository
from portico.sessions.services.acting import confirmed
from portico.sessions.services.believed import Belief, BelievedPrincipals, KeySpace
from portico.sessions.settings import SessionsSettings

FIRST_PARTY = "portico"
TOKEN_TYPE = "at+jwt"
API_PATH = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A token that was just made; `expires_in` is in whole seconds."""

    value: str = field(repr=False)
    expires_in: int


class AccessTokens:
    """Makes and verifies access tokens; one a process."""

    def __init__(self, runtime: Runtime, believed: BelievedPrincipals) -> None:
        self._runtime = runtime
        self._keyring = runtime.get(Keyring)
        self._believed = believed
        self._issuer = runtime.settings.public_url
        self._audience = self._issuer + API_PATH
        self._ttl = runtime.section(SessionsSettings).access_token_ttl
        self._space = KeySpace(TOKEN_TYPE, self._issuer, self._audience)

    def mint(self, session: LiveSession) -> AccessToken:
        """Sign a token for a session that was read in this transaction; it never outlives the session."""
        now = self._runtime.clock.now()
        expires_at = min(now + self._ttl, session.idle_expires_at, session.absolute_expires_at)
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "sub": str(session.user_id),
            "aud": self._audience,
            "client_id": FIRST_PARTY,
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
            "jti": str(new_id()),
            "sid": str(session.id),
            "scope": "",
            "auth_time": int(session.auth_time.timestamp()),
            "acr": f"aal{session.aal}",
            "amr": list(session.amr),
        }
        if session.actor_id is not None:
            claims["act"] = {"sub": str(session.actor_id)}  # RFC 8693, section 4.1
        if session.active_organization_id is not None:
            claims["org_id"] = str(session.active_organization_id)
        token = self._keyring.sign(claims, purpose=KeyPurpose.ACCESS_TOKEN, typ=TOKEN_TYPE)
        return AccessToken(value=token, expires_in=claims["exp"] - claims["iat"])

    async def _of_client(self, claims: dict[str, Any]) -> Belief:
        tokens = self._runtime.find(ClientTokens)
        if tokens is None:
            raise TokenRejected(TokenFault.CLAIMS)
        return await tokens.believe(claims)

    def find(self, token: str) -> Principal | None:
        """Return whom the token stands for if it was verified lately and may be believed; never waits."""
        return self._believed.find(self._space.key(token))

    async def verify(self, token: str) -> Principal:
        """Verify the token and read its session; remember both.

        Raises:
            TokenRejected: not an access token of ours, or expired (401).
            SessionEnded: the session, the person or his account is no longer good (401).
        """
        claims = self._keyring.verify(
            token,
            purpose=KeyPurpose.ACCESS_TOKEN,
            typ=TOKEN_TYPE,
            audience=self._audience,
            issuer=self._issuer,
        )
        if claims.get("client_id") != FIRST_PARTY:
            return await self._believed.load(self._space.key(token), lambda: self._of_client(claims))
        session_id, *who = _subject_of(claims)
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)

        async def read() -> Belief:
            session = await live_session(self._runtime, session_id)
            if [session.user_id, session.actor_id] != who:
                raise SessionEnded
            end = min(expires_at, session.idle_expires_at, session.absolute_expires_at)
            return Belief(
                principal=principal_of(session, CredentialKind.BEARER),
                session_id=session.id,
                actor_session_id=session.actor_session_id,
                good_until=end,
                never_after=end,
            )

        return await self._believed.load(self._space.key(token), read)


async def live_session(runtime: Runtime, session_id: UUID) -> LiveSession:
    """Return the session as the database has it now.

    Raises:
        SessionEnded: it, its person or whoever acts in his name is no longer good (401).
    """
    async with runtime.reads() as reader:
        session = await SessionRepository(reader).find_live(session_id, runtime.clock.now())
        return await confirmed(runtime, reader, session)


def principal_of(session: LiveSession, credential: CredentialKind) -> Principal:
    """Return the caller that a live session stands for."""
    organization_id = session.active_organization_id
    return Principal(
        id=PrincipalId(session.user_id),
        kind=PrincipalKind.USER,
        credential=credential,
        session_id=SessionId(session.id),
        auth_time=session.auth_time,
        amr=session.amr,
        aal=session.aal,
        roles=session.roles,
        organization_id=OrganizationId(organization_id) if organization_id else None,
        actor_id=PrincipalId(session.actor_id) if session.actor_id else None,
        impersonation=session.impersonation,
    )


def _subject_of(claims: dict[str, Any]) -> tuple[UUID, UUID, UUID | None]:
    """Return session, person, and who acts."""
    try:
        actor_id = UUID(claims["act"]["sub"]) if "act" in claims else None
        return UUID(claims["sid"]), UUID(claims["sub"]), actor_id
    except (KeyError, TypeError, ValueError, AttributeError):
        raise TokenRejected(TokenFault.CLAIMS) from None
