"""Verifies JWT access tokens of a remote server by its published keys (RFC 9068, section 4).

The keys are fetched once and kept; a token that names a key which we do not know has them fetched again, at most once
in ten seconds, whoever sends such tokens and however many.
"""

from datetime import timedelta
from typing import Final

from portico.core.clock import Clock
from portico.oauth.protocol.jose import (
    ASYMMETRIC,
    Fault,
    Policy,
    PublicJwk,
    Rejected,
    Verified,
    parse_jwks,
    verify,
)
from portico.resource_server.credentials import MAX_TOKEN
from portico.resource_server.errors import TokenInvalid
from portico.resource_server.types import TokenFault, TokenHolder
from portico.resource_server.verifying.claims import Demands, holder_of
from portico.resource_server.verifying.discovery import RemoteServer
from portico.resource_server.verifying.refreshing import Ages, Refreshed

KEY_AGES: Final = Ages(fresh=timedelta(minutes=5), kept=timedelta(hours=6), pause=timedelta(seconds=10))
POLICY: Final = Policy(algorithms=ASYMMETRIC, types=frozenset({"at+jwt"}), max_bytes=MAX_TOKEN)
"""An ID token has another `typ`, or none, and never passes (RFC 8725, section 3.11)."""

type Keys = tuple[PublicJwk, ...]


class RemoteVerifier:
    """Verifies by the key set of the server."""

    def __init__(self, server: RemoteServer, demands: Demands, clock: Clock) -> None:
        self._server = server
        self._demands = demands
        self._clock = clock
        self._keys: Refreshed[Keys] = Refreshed(self._load, clock, KEY_AGES)

    async def verify(self, token: str) -> TokenHolder:
        """Return the holder of a token with a good signature.

        Raises:
            TokenInvalid: it has none, or is not for us.
            ServerUnavailable: the keys are not to be had.
        """
        keys = await self._keys.get()
        try:
            verified = verify(token, keys, POLICY)
        except Rejected as rejected:
            if rejected.fault is not Fault.UNKNOWN_KEY:
                raise _invalid(rejected) from None
            verified = _verified(token, await self._keys.newer_than(keys))
        return holder_of(verified.claims, self._demands, self._clock.now())

    async def _load(self) -> Keys:
        url = (await self._server.metadata()).jwks_uri
        if url is None:
            raise self._server.unusable(self._server.issuer, "has no jwks_uri")
        body = await self._server.fetch(url)
        try:
            return parse_jwks(body)
        except Rejected as rejected:
            raise self._server.unusable(url, rejected.detail) from None


def _verified(token: str, keys: Keys) -> Verified:
    try:
        return verify(token, keys, POLICY)
    except Rejected as rejected:
        raise _invalid(rejected) from None


def _invalid(rejected: Rejected) -> TokenInvalid:
    return TokenInvalid(TokenFault.NO_TOKEN_OF_OURS, str(rejected))
