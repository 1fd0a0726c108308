"""Access tokens of clients: RFC 9068 JWTs for exactly one resource, or opaque ones that we keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.keys.services import Keyring
from portico.keys.types import KeyPurpose
from portico.oauth.repositories.tokens import OpaqueTokenRepository
from portico.oauth.services.clients import Client
from portico.oauth.services.resources import Resource
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import OPAQUE_TOKENS, AccessTokenText, SenderKey, TokenFormat
from portico.runtime import Runtime

TOKEN_TYPE = "at+jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """What a token is to say. `context` is the grant's: auth_time, acr, amr and act are repeated from it."""

    subject: str
    scope: str
    resource: Resource | None = None
    """None: it is good at userinfo alone, and the issuer is its audience."""
    grant_id: UUID | None = None
    session_id: UUID | None = None
    organization_id: UUID | None = None
    details: Sequence[Mapping[str, Any]] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    sender: SenderKey = field(default_factory=SenderKey)
    expires_by: int | None = None
    """When it ends at the latest, in seconds since 1970: with the token that it was exchanged for, or the session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MintedToken:
    """A token that was just made; `expires_in` is in whole seconds."""

    text: AccessTokenText
    expires_in: int
    claims: Mapping[str, Any]

    @property
    def token_type(self) -> str:
        """Return how it is shown: `DPoP` where it is bound to a key, else `Bearer` (RFC 9449, section 5)."""
        return "DPoP" if "jkt" in self.claims.get("cnf", {}) else "Bearer"


class AccessTokenMint:
    """Makes access tokens."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def mint(self, client: Client, facts: TokenFacts) -> MintedToken:
        """Sign a token, or write an opaque one in the open transaction."""
        claims = self._claims(client, facts)
        if _format(client, facts.resource) is TokenFormat.OPAQUE:
            text = await self._kept(client, facts, claims)
        else:
            text = self._runtime.get(Keyring).sign(claims, purpose=KeyPurpose.ACCESS_TOKEN, typ=TOKEN_TYPE)
        return MintedToken(
            text=AccessTokenText(text), expires_in=claims["exp"] - claims["iat"], claims=claims
        )

    def _claims(self, client: Client, facts: TokenFacts) -> dict[str, Any]:
        """RFC 9068, section 2.2; what is not known is left out."""
        now = int(self._runtime.clock.now().timestamp())
        issuer = self._runtime.settings.public_url
        context = facts.context
        said = {
            "iss": issuer,
            "sub": facts.subject,
            "aud": facts.resource.identifier if facts.resource is not None else issuer,
            "client_id": client.client_id,
            "iat": now,
            "exp": self._end(client, facts, now),
            "jti": str(new_id()),
            "scope": facts.scope,
            "grant_id": _text(facts.grant_id),
            "sid": _text(facts.session_id),
            "org_id": _text(facts.organization_id),
            "auth_time": context.get("auth_time"),
            "acr": context.get("acr"),
            "amr": context.get("amr") or None,
            "act": context.get("act"),
            "may_act": context.get("may_act"),
            "authorization_details": list(facts.details) or None,
            "cnf": facts.sender.as_claim() or None,
        }
        return {name: value for name, value in said.items() if value is not None}

    def _end(self, client: Client, facts: TokenFacts, now: int) -> int:
        end = now + int(self._lifetime(client, facts.resource).total_seconds())
        return end if facts.expires_by is None else min(end, facts.expires_by)

    def _lifetime(self, client: Client, resource: Resource | None) -> timedelta:
        seconds = [client.policy.access_token_seconds, resource.access_token_seconds if resource else None]
        stated = [each for each in seconds if each is not None]
        if stated:
            return timedelta(seconds=min(stated))
        return self._runtime.section(OAuthSettings).access_token_lifetime

    async def _kept(self, client: Client, facts: TokenFacts, claims: Mapping[str, Any]) -> str:
        text = OPAQUE_TOKENS.make(self._runtime.entropy)
        async with self._unit:
            await OpaqueTokenRepository(self._unit.session).add_token(
                id=UUID(claims["jti"]),
                token_hash=OPAQUE_TOKENS.hash_of(text),
                grant_id=facts.grant_id,
                client_key=client.key,
                claims=dict(claims),
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
                revoked_at=None,
            )
        return text


def _format(client: Client, resource: Resource | None) -> TokenFormat:
    if resource is not None and resource.token_format is not None:
        return resource.token_format
    return client.policy.token_format


def _text(id_: UUID | None) -> str | None:
    return str(id_) if id_ is not None else None
