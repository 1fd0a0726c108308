"""Access tokens of ours that somebody presents: what they say, and whether they are still worth anything.

A JWT proves itself by its signature, an opaque token by its row; that it was not revoked, and that its grant, client
and person are still there, is asked of the database. `PresentedTokens` asks each time; `BelievedTokens` remembers the
answer until one of its `subjects` is revoked or the token is over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from portico.coordination.cache import BoundedCache
from portico.coordination.revocations import RevocationLog
from portico.keys.errors import TokenRejected
from portico.keys.services import Keyring
from portico.keys.types import KeyPurpose, TokenFault
from portico.oauth.repositories.standings import Standing, StandingRepository
from portico.oauth.repositories.tokens import OpaqueTokenRepository
from portico.oauth.services.access_tokens import TOKEN_TYPE
from portico.oauth.services.clients import Client, ClientBook
from portico.oauth.services.once import REVOKED, hash_of, was_spent
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import OPAQUE_TOKENS
from portico.runtime import Runtime
from portico.sessions.services.believed import KeySpace
from portico.tokens.secret_format import NotASecret


class TokenEnded(Exception):
    """The token is ours, but it was revoked, or its grant, client or person is no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedToken:
    """A token that is good now; `subjects` are those whose revocation ends it.

    `context` is that of its grant, empty where it came of none; `user_id` the person, whatever name `sub` gives him.
    """

    claims: Mapping[str, Any]
    subjects: tuple[str, ...]
    client: Client
    user_id: UUID | None = None
    context: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scopes(self) -> Sequence[str]:
        """Return its scopes."""
        return str(self.claims.get("scope", "")).split()


class PresentedTokens:
    """Reads access tokens; remembers nothing."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def read(self, token: str, *, audience: str | None = None) -> PresentedToken:
        """Return what a token says that is good now: for `audience`, or for whomever.

        Raises:
            TokenRejected: it is none of ours, for somebody else, or over (401).
            TokenEnded: it is genuine, and what it came of has ended.
        """
        claims = await self.read_claims(token, audience=audience)
        client = await self._runtime.get(ClientBook).find_known(claims["client_id"])
        # Tokens of our own sign-in have none, and are no client's to present.
        if client is None or client.is_off:
            raise TokenEnded
        return await self._standing(claims, client)

    async def read_claims(self, token: str, *, audience: str | None = None) -> Mapping[str, Any]:
        """Return what a genuine token says that has not expired, whatever has become of what it came of.

        Raises:
            TokenRejected: it is none of ours, for somebody else, or over (401).
            TokenEnded: it is opaque, and unknown or revoked.
        """
        if token.startswith(OPAQUE_TOKENS.prefix):
            return await self._opaque(token, audience)
        return self._runtime.get(Keyring).verify(
            token,
            purpose=KeyPurpose.ACCESS_TOKEN,
            typ=TOKEN_TYPE,
            audience=audience,
            issuer=self._runtime.settings.public_url,
        )

    async def _opaque(self, token: str, audience: str | None) -> Mapping[str, Any]:
        try:
            hashed = OPAQUE_TOKENS.hash_of(token)
        except NotASecret:
            raise TokenRejected(TokenFault.MALFORMED) from None
        async with self._runtime.reads() as session:
            claims = await OpaqueTokenRepository(session).find_live(hashed, self._runtime.clock.now())
        if claims is None:
            raise TokenEnded
        if audience is not None and claims.get("aud") != audience:
            raise TokenRejected(TokenFault.AUDIENCE)
        return claims

    async def _standing(self, claims: Mapping[str, Any], client: Client) -> PresentedToken:
        grant_id, jti = claims.get("grant_id"), claims["jti"]
        subjects = [f"token:{jti}", f"client:{client.key}"]
        async with self._runtime.reads() as session:
            if grant_id is None:
                if await was_spent(session, REVOKED, client.client_id, jti):
                    raise TokenEnded
                return PresentedToken(claims=claims, subjects=tuple(subjects), client=client)
            revoked = hash_of(REVOKED, client.client_id, jti)
            found = await StandingRepository(session).find_good(UUID(grant_id), revoked)
        if found is None:
            raise TokenEnded
        return PresentedToken(
            claims=claims,
            subjects=(*subjects, *_subjects_of(found)),
            client=client,
            user_id=found.user_id,
            context=found.context,
        )


class BelievedTokens:
    """The bounded memory of tokens that were read lately; one a process."""

    def __init__(self, runtime: Runtime) -> None:
        self._clock = runtime.clock
        self._tokens = PresentedTokens(runtime)
        self._space = KeySpace("presented", runtime.settings.public_url)
        self._entries: BoundedCache[bytes, PresentedToken] = BoundedCache(
            runtime.get(RevocationLog), runtime.section(OAuthSettings).cached_tokens
        )

    async def find(self, token: str, *, audience: str | None = None) -> PresentedToken | None:
        """Return what a token says that is good now, for `audience` or for whomever; None for any other."""
        key = self._space.key(token)
        try:
            presented = await self._entries.get(key, lambda: self._read(token))
        except (TokenRejected, TokenEnded):
            return None
        if self._clock.now().timestamp() >= presented.claims["exp"]:
            self._entries.drop(key)
            return None
        if audience is not None and presented.claims["aud"] != audience:
            return None
        return presented

    async def _read(self, token: str) -> tuple[PresentedToken, Sequence[str]]:
        presented = await self._tokens.read(token)
        return presented, presented.subjects


def _subjects_of(standing: Standing) -> list[str]:
    named = {
        "grant": standing.grant_id,
        "user": standing.user_id,
        "session": standing.session_id,
        "tenant": standing.organization_id,
    }
    return [f"{kind}:{id_}" for kind, id_ in named.items() if id_ is not None]
