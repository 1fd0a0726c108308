"""Recognises callers by API key, before any route runs: `Authorization: Bearer pak_…` or `X-API-Key: pak_…`.

Asked before the authenticators of the floors below, so that a key is never taken for an access token; what does not
begin with the prefix of keys is left to them.
"""

from collections.abc import Mapping
from typing import Final

from starlette.types import Scope

from portico.api_keys.services.believed import BelievedKeys, KeyRefused
from portico.api_keys.types import KEY_FORMAT, KeyFault
from portico.http.authentication import Principal, Rejection
from portico.runtime import Runtime

HEADER: Final = "x-api-key"
_SCHEME: Final = "bearer "
_START: Final = len(_SCHEME)

_AMBIGUOUS = Rejection("ambiguous_credential", "Send one credential, not several")
_EXPIRED = Rejection("api_key_expired", "The API key has expired")
_REJECTED = Rejection("api_key_rejected", "The API key is not valid")


class ApiKeyAuthenticator:
    """API keys in one of two headers; both together are refused, for nobody can tell which one is meant.

    A key that is revoked, unknown, of a closed account or at a foreign address gets one and the same answer: it tells a
    thief nothing, not even that the key is genuine. Only that it has expired is told.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._keys: BelievedKeys | None = None

    async def authenticate(self, scope: Scope, headers: Mapping[str, str]) -> Principal | Rejection | None:
        """Return the principal, a rejection, or None where there is no key.

        Raises:
            RateLimited: the key's rate or quota is used up (429).
        """
        authorization, own = headers.get("authorization"), headers.get(HEADER)
        if own is not None and own.startswith(KEY_FORMAT.prefix):
            if authorization is not None:
                return _AMBIGUOUS
            text = own
        elif authorization is not None and _bears_key(authorization):
            text = authorization[_START:]
        else:
            return None
        try:
            return await (self._keys or self._ready()).authenticate(text)
        except KeyRefused as refused:
            return _rejection(refused)

    def _ready(self) -> BelievedKeys:
        """Take the keys of the running process; at construction it was not up yet."""
        self._keys = self._runtime.get(BelievedKeys)
        return self._keys


class ApiKeyAuthority:
    """The keys, for routes that trust no memory."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def read_again(self, principal: Principal) -> Principal | Rejection:
        """Return the caller, or why his key is no good any more, by what the database says now."""
        if principal.credential_id is None:
            return _REJECTED
        try:
            return await self._runtime.get(BelievedKeys).read_again(principal.credential_id)
        except KeyRefused as refused:
            return _rejection(refused)


def _rejection(refused: KeyRefused) -> Rejection:
    return _EXPIRED if refused.fault is KeyFault.EXPIRED else _REJECTED


def _bears_key(authorization: str) -> bool:
    return authorization.startswith(KEY_FORMAT.prefix, _START) and authorization[:_START].lower() == _SCHEME
