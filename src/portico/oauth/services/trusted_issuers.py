"""Others whose signed word counts here: platforms that know their workloads, and organizations' identity providers.

Off unless a setting names them. What they sign is read as strictly as what clients sign, and is good once.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from portico.oauth.protocol.jose import ASYMMETRIC, PublicJwk, parse_jwks
from portico.oauth.protocol.refusals import ErrorCode, Refused, UnknownKey
from portico.oauth.protocol.rfc7523_client_assertions import (
    AuthorizationGrant,
    claimed_issuer,
    verify_authorization_grant,
    verify_id_jag,
)
from portico.oauth.services.client_keys import ClientKeys
from portico.oauth.settings import IssuerKind, OAuthSettings, TrustedIssuer
from portico.runtime import Runtime


class TrustedIssuers:
    """Reads what trusted issuers say; one a process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        named = runtime.section(OAuthSettings).trusted_issuers
        self._issuers: Mapping[str, TrustedIssuer] = {each.issuer: each for each in named}
        self._keys = {each.issuer: parse_jwks(each.jwks) for each in named if each.jwks is not None}

    @property
    def is_on(self) -> bool:
        """Tell whether anybody is trusted at all."""
        return bool(self._issuers)

    def is_of_workloads(self, assertion: str) -> bool:
        """Tell whether an assertion says that a platform of workloads made it; unverified."""
        try:
            issuer = self._issuers.get(claimed_issuer(assertion))
        except Refused:
            return False
        return issuer is not None and issuer.kind is IssuerKind.WORKLOAD

    def issuer_of(self, vouched: AuthorizationGrant) -> TrustedIssuer:
        """Return whose word it is."""
        return self._issuers[vouched.issuer]

    def client_of(self, vouched: AuthorizationGrant) -> str | None:
        """Return the client for which a workload stands."""
        return self.issuer_of(vouched).clients.get(vouched.subject)

    async def read(
        self, assertion: str, *, now: datetime, client_id: str | None = None
    ) -> AuthorizationGrant:
        """Return what a trusted issuer says; an identity provider must say it to this client.

        Raises:
            Refused: invalid_grant (RFC 7523, section 3.1).
        """
        issuer = self._issuers.get(claimed_issuer(assertion))
        if issuer is None:
            raise Refused(ErrorCode.INVALID_GRANT, "the issuer of the assertion is not trusted here")
        check = partial(self._verified, assertion, issuer, client_id or "", now.timestamp())
        keys = self._keys.get(issuer.issuer)
        if keys is not None:
            return check(keys)
        return await self._by_published_keys(issuer.jwks_uri or "", check)

    async def _by_published_keys(
        self, url: str, check: Callable[[Sequence[PublicJwk]], AuthorizationGrant]
    ) -> AuthorizationGrant:
        """Check by the keys that are known, and by those that are published now if none of them fits."""
        published: Callable[..., Awaitable[Sequence[PublicJwk]]] = partial(
            self._runtime.get(ClientKeys).at, url
        )
        try:
            try:
                return check(await published())
            except UnknownKey:
                return check(await published(afresh=True))
        except Refused as refused:
            if refused.error is not ErrorCode.INVALID_CLIENT:
                raise
            why = "the keys of the issuer cannot be had"
            raise Refused(ErrorCode.INVALID_GRANT, why, refused.detail) from None

    def _verified(
        self,
        assertion: str,
        issuer: TrustedIssuer,
        client_id: str,
        now: float,
        keys: Sequence[PublicJwk],
    ) -> AuthorizationGrant:
        own = self._runtime.settings.public_url
        if issuer.kind is IssuerKind.WORKLOAD:
            return verify_authorization_grant(
                assertion, trusted_issuer=issuer.issuer, issuer=own, keys=keys, algorithms=ASYMMETRIC, now=now
            )
        return verify_id_jag(
            assertion,
            trusted_issuer=issuer.issuer,
            issuer=own,
            client_id=client_id,
            keys=keys,
            algorithms=ASYMMETRIC,
            now=now,
        )
