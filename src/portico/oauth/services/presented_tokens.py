"""Access tokens of ours that somebody presents: what they say, and whether they are still worth anything.

A JWT proves itself by its signature, an opaque token by its row; that the grant, its client and its person are still
there is asked of the database. Whoever remembers the answer tags it with `subjects`, so that it falls with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from portico.keys.errors import TokenRejected
from portico.keys.services import Keyring
from portico.keys.types import KeyPurpose, TokenFault
from portico.oauth.repositories import GrantRepository
from portico.oauth.repositories.tokens import OpaqueTokenRepository
from portico.oauth.services.access_tokens import TOKEN_TYPE
from portico.oauth.services.clients import ClientBook
from portico.oauth.types import OPAQUE_TOKENS
from portico.runtime import Runtime
from portico.tokens.secret_format import NotASecret


class TokenEnded(Exception):
    """The token is ours, but it was revoked, or its grant, client or person is no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedToken:
    """A token that is good now; `subjects` are those whose revocation ends it."""

    claims: Mapping[str, Any]
    subjects: tuple[str, ...]


class PresentedTokens:
    """Reads access tokens; remembers nothing."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def read(self, token: str, *, audience: str) -> PresentedToken:
        """Return what a token says that is good for `audience` now.

        Raises:
            TokenRejected: it is none of ours, for somebody else, or over (401).
            TokenEnded: it is genuine, and what it came of has ended.
        """
        claims = await self._claims(token, audience)
        return PresentedToken(claims=claims, subjects=await self._standing(claims))

    async def _claims(self, token: str, audience: str) -> Mapping[str, Any]:
        if not token.startswith(OPAQUE_TOKENS.prefix):
            return self._runtime.get(Keyring).verify(
                token,
                purpose=KeyPurpose.ACCESS_TOKEN,
                typ=TOKEN_TYPE,
                audience=audience,
                issuer=self._runtime.settings.public_url,
            )
        try:
            hashed = OPAQUE_TOKENS.hash_of(token)
        except NotASecret:
            raise TokenRejected(TokenFault.MALFORMED) from None
        async with self._runtime.reads() as session:
            claims = await OpaqueTokenRepository(session).find_live(hashed, self._runtime.clock.now())
        if claims is None:
            raise TokenEnded
        if claims.get("aud") != audience:
            raise TokenRejected(TokenFault.AUDIENCE)
        return claims

    async def _standing(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the subjects of a token's grant; of its client where it came of none.

        A token of our own sign-in has neither, and is nothing that a client could present.
        """
        grant_id = claims.get("grant_id")
        if isinstance(grant_id, str):
            return await self._standing_of_grant(UUID(grant_id))
        client = await self._runtime.get(ClientBook).find_known(claims["client_id"])
        if client is None or client.is_off:
            raise TokenEnded
        return (f"client:{client.key}",)

    async def _standing_of_grant(self, grant_id: UUID) -> tuple[str, ...]:
        async with self._runtime.reads() as session:
            grants = GrantRepository(session)
            state, grant = await grants.find_state(grant_id), await grants.find(grant_id)
        if state is None or grant is None or not state.is_good:
            raise TokenEnded
        subjects = [f"grant:{grant.id}", f"client:{grant.client_key}"]
        if grant.user_id is not None:
            subjects.append(f"user:{grant.user_id}")
        if grant.session_id is not None:
            subjects.append(f"session:{grant.session_id}")
        return tuple(subjects)
