"""What a client may read of the person who let it in (OpenID Connect Core 1.0, section 5.3).

The finished answer is remembered with what the token was found to be, until one of them is revoked or the person
changes: then a request is a SHA-256, a look into a dict and a comparison of times.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portico.coordination.cache import BoundedCache
from portico.coordination.revocations import RevocationLog
from portico.keys.errors import TokenRejected
from portico.keys.services import Keyring, ensure_keys
from portico.oauth.errors import OAuthRefusal
from portico.oauth.protocol.oidc_claims import userinfo_claims
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc8705_mutual_tls import CONFIRMATION, check_binding, parse_certificate
from portico.oauth.services.id_tokens import ID_TOKEN_TYPE, signing_purpose
from portico.oauth.services.people import person_claims
from portico.oauth.services.presented_tokens import PresentedToken, PresentedTokens, TokenEnded
from portico.oauth.services.shown_tokens import UNAUTHORIZED, ShownToken, check_proof
from portico.oauth.services.token_grants.answers import kept_claims
from portico.oauth.settings import OAuthSettings
from portico.runtime import Runtime
from portico.sessions.services.believed import KeySpace

FORBIDDEN = 403
JSON_TYPE, JWT_TYPE = "application/json", "application/jwt"


@dataclass(frozen=True, slots=True)
class PersonTold:
    """A finished answer."""

    body: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What is remembered of a token; `told` is None where it does not let its holder ask."""

    presented: PresentedToken
    told: PersonTold | None


class UserInfo:
    """Answers; one a process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._issuer = runtime.settings.public_url
        self._tokens = PresentedTokens(runtime)
        self._space = KeySpace("userinfo", self._issuer)
        self._known: BoundedCache[bytes, _Known] = BoundedCache(
            runtime.get(RevocationLog), runtime.section(OAuthSettings).cached_tokens
        )

    async def tell(self, shown: ShownToken) -> PersonTold:
        """Return what the token lets its holder know (row 25.7).

        Raises:
            OAuthRefusal: invalid_token, insufficient_scope, or what is wrong with a proof (401, 403).
        """
        key = self._space.key(shown.token)
        try:
            known = await self._known.get(key, lambda: self._load(shown.token))
        except (TokenRejected, TokenEnded) as fault:
            raise _invalid("the token is not good here", str(fault)) from None
        claims = known.presented.claims
        if self._runtime.clock.now().timestamp() >= claims["exp"]:
            self._known.drop(key)
            raise _invalid("the token has expired")
        if shown.is_dpop or "cnf" in claims:
            await self._check_holder(shown, known.presented)
        if known.told is None:
            raise OAuthRefusal(
                ErrorCode.INSUFFICIENT_SCOPE, "the token was not given for openid", status=FORBIDDEN
            )
        return known.told

    async def _load(self, token: str) -> tuple[_Known, Sequence[str]]:
        presented = await self._tokens.read(token, audience=self._issuer)
        return _Known(presented, await self._told(presented)), presented.subjects

    async def _told(self, presented: PresentedToken) -> PersonTold | None:
        if presented.user_id is None or "openid" not in presented.scopes:
            return None
        wanted = userinfo_claims(presented.scopes, kept_claims(presented.context))
        person = await person_claims(self._runtime, presented.user_id, wanted)
        if person is None:
            raise TokenEnded
        said = {**person, "sub": presented.claims["sub"]}
        if presented.client.metadata.userinfo_signed_response_alg is not None:
            return PersonTold((await self._signed(presented, said)).encode(), JWT_TYPE)
        return PersonTold(json.dumps(said, separators=(",", ":")).encode(), JSON_TYPE)

    async def _signed(self, presented: PresentedToken, said: Mapping[str, Any]) -> str:
        """Section 5.3.2: `iss` and `aud` make it an answer to one client; without `exp` it is no ID token."""
        client = presented.client
        purpose = signing_purpose(client, client.metadata.userinfo_signed_response_alg)
        await ensure_keys(self._runtime, [purpose])
        claims = {**said, "iss": self._issuer, "aud": client.client_id}
        return self._runtime.get(Keyring).sign(claims, purpose=purpose, typ=ID_TOKEN_TYPE)

    async def _check_holder(self, shown: ShownToken, presented: PresentedToken) -> None:
        """What is bound to a key is shown with that key, and only so (RFC 9449, section 7; RFC 8705, section 3)."""
        bound = presented.claims.get("cnf", {})
        jkt = bound.get("jkt")
        if shown.is_dpop != (jkt is not None):
            raise _invalid("the token is not shown by the scheme that it was given for")
        try:
            if jkt is not None:
                await check_proof(self._runtime, shown, jkt, is_fapi=presented.client.is_fapi)
            header = shown.transport.certificate
            certificate = parse_certificate(header) if header is not None else None
            check_binding(certificate, bound.get(CONFIRMATION), ErrorCode.INVALID_TOKEN)
        except Refused as refused:
            error = refused.error
            if error is ErrorCode.INVALID_CLIENT:  # of a certificate that cannot be read
                error = ErrorCode.INVALID_TOKEN
            raise OAuthRefusal(error, refused.description, log=refused.detail, status=UNAUTHORIZED) from None


def _invalid(description: str, log: str = "") -> OAuthRefusal:
    return OAuthRefusal(ErrorCode.INVALID_TOKEN, description, log=log, status=UNAUTHORIZED)
