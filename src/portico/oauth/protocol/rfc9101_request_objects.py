"""JWT-secured authorization requests (RFC 9101): the parameters come signed, and only those that are signed count.

Request objects by reference and encrypted ones are not read here: the first are the pushed requests of RFC 9126, the
second are not offered.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portico.oauth.protocol.jose import (
    ASYMMETRIC,
    Policy,
    PublicJwk,
    Rejected,
    SharedSecrets,
    TimeRules,
    check_times,
    refusal,
    verify,
)
from portico.oauth.protocol.refusals import ErrorCode, Refused

TYPES = frozenset({"", "jwt", "oauth-authz-req+jwt"})
MAX_BYTES = 32_768
ABOUT_THE_TOKEN = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "sub"})
"""Claims of the JWT itself; no parameters of the request."""
NEVER_INSIDE = frozenset({"request", "request_uri"})
JSON_PARAMETERS = frozenset({"claims", "authorization_details", "registration"})
REPEATABLE = frozenset({"resource", "audience"})
"""Parameters that may come several times, and as a list inside (RFC 8707, section 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestObjectRules:
    """Which claims must be there, and how long it may be good: see `TimeRules`."""

    required: frozenset[str]
    max_span: float | None = None
    max_age: float | None = None


GENERAL = RequestObjectRules(required=frozenset({"client_id", "aud"}))
"""RFC 9101, section 4: `iss` and `aud` should be there. An audience must, so that what was signed for another server
is not taken here; an issuer that is there must be the client."""
FAPI_MESSAGE_SIGNING = RequestObjectRules(
    required=frozenset({"client_id", "aud", "exp", "nbf"}), max_span=3600.0, max_age=3600.0
)
"""FAPI 2.0 Message Signing, section 5.3.1: begun at most 60 minutes ago, good for at most 60 minutes."""


def check_one_way(request: str | None, request_uri: str | None) -> None:
    """Refuse a request that comes by value and by reference at once (RFC 9101, section 5).

    Raises:
        Refused: `invalid_request`.
    """
    if request is not None and request_uri is not None:
        raise Refused(ErrorCode.INVALID_REQUEST, "request and request_uri exclude each other")


def read_request_object(
    request: str,
    *,
    client_id: str,
    issuer: str,
    keys: Sequence[PublicJwk] | SharedSecrets,
    now: float,
    algorithms: frozenset[str] = ASYMMETRIC,
    rules: RequestObjectRules = GENERAL,
) -> tuple[tuple[str, str], ...]:
    """Return the parameters of a signed authorization request, in the form in which a query would have them.

    `client_id` is the parameter outside, to whose client `keys` and `algorithms` belong; the claim inside must be the
    same (sections 5 and 6.3). Parameters outside are not merged in: they do not count. Numbers and
    booleans become texts, `claims` and `authorization_details` stay JSON, a list of resources becomes several.

    Raises:
        UnknownKey: none of the client's keys signed it; they may have changed.
        Refused: `invalid_request_object` (section 6.2).
    """
    try:
        policy = Policy(algorithms=algorithms, types=TYPES, max_bytes=MAX_BYTES)
        claims = verify(request, keys, policy).claims
        check_times(claims, _time_rules(rules, now))
    except Rejected as rejected:
        raise refusal(ErrorCode.INVALID_REQUEST_OBJECT, "The request object", rejected) from None
    _check_parties(claims, client_id, issuer, rules.required)
    if NEVER_INSIDE & claims.keys():
        raise _refused("request and request_uri cannot stand inside")
    inside = {name: value for name, value in claims.items() if name not in ABOUT_THE_TOKEN}
    parameters = {"client_id": client_id, **inside}
    return tuple((name, text) for name, value in parameters.items() for text in _texts(name, value))


def _time_rules(rules: RequestObjectRules, now: float) -> TimeRules:
    return TimeRules(
        now=now,
        required=rules.required & {"exp", "nbf", "iat"},
        max_span=rules.max_span,
        max_age=rules.max_age,
    )


def _check_parties(claims: Mapping[str, Any], client_id: str, issuer: str, required: frozenset[str]) -> None:
    """Check who speaks to whom (sections 4 and 6.3), and that this is no client assertion (section 10.8)."""
    missing = required & {"client_id", "aud"} - claims.keys()
    if missing:
        raise _refused(f"{' and '.join(sorted(missing))} must stand inside")
    if claims.get("client_id", client_id) != client_id:
        raise _refused("client_id inside is not that outside", f"{claims.get('client_id')!r:.200}")
    if claims.get("iss", client_id) != client_id:
        raise _refused("iss must be the client_id", f"{claims.get('iss')!r:.200}")
    if not _is_for(claims.get("aud", issuer), issuer):
        raise _refused("aud must be the issuer or a list with it", f"{claims.get('aud')!r:.200}")
    if claims.get("sub") == client_id:
        raise _refused("sub must not be the client_id")


def _is_for(aud: object, issuer: str) -> bool:
    return aud == issuer or (isinstance(aud, list) and issuer in aud)


def _texts(name: str, value: Any) -> Sequence[str]:
    """Return what a parameter would be in a query (section 4)."""
    if name in REPEATABLE and isinstance(value, list):
        return [_text(name, one) for one in value]
    return [_text(name, value)]


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if name in JSON_PARAMETERS and isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"))
    raise _refused(f"{_shown(name)} has a value of the wrong type")


def _shown(name: str) -> str:
    return name if name.isascii() and name.isidentifier() and len(name) <= 64 else "a parameter"


def _refused(description: str, detail: str = "") -> Refused:
    return Refused(ErrorCode.INVALID_REQUEST_OBJECT, f"The request object: {description}", detail)
