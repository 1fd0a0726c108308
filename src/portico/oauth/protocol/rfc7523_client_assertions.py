"""JWTs as proof of a client and as a grant (RFC 7521, RFC 7523, and their update in draft-ietf-oauth-rfc7523bis).

A client assertion says "I am this client" and is signed by it (section 2.2). A JWT authorization grant says "this
subject may" and is signed by an issuer that we trust (section 2.1); the identity assertion grant (ID-JAG,
draft-ietf-oauth-identity-assertion-authz-grant) is one that an enterprise's identity provider made for one client.

The audience is our issuer identifier and nothing else, as one text: a token endpoint's address may be claimed by a
second, malicious server too, which then uses the assertion here (rfc7523bis, section 7). That a `jti` comes once is
the caller's memory; until when it must be kept is in the result.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from portico.oauth.protocol.jose import (
    Policy,
    PublicJwk,
    Rejected,
    SharedSecrets,
    TimeRules,
    check_times,
    peek_claims,
    refusal,
    verify,
)
from portico.oauth.protocol.refusals import ErrorCode, Refused

CLIENT_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ID_JAG_TYPE = "oauth-id-jag+jwt"
CLIENT_TYPES = frozenset({"", "jwt", "client-authentication+jwt"})
GRANT_TYPES = frozenset({"", "jwt", "authorization-grant+jwt"})
MAX_LIFETIME_SECONDS = 3600.0
MAX_TEXT = 256
LATE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ClientAssertion:
    """A client that proved itself; refuse the same `jti` of this client until `remember_until`."""

    client_id: str
    jti: str
    remember_until: float
    algorithm: str


@dataclass(frozen=True, slots=True)
class AuthorizationGrant:
    """What a trusted issuer grants; `jti` may be missing in a plain one, which then may come again."""

    issuer: str
    subject: str
    jti: str | None
    remember_until: float
    client_id: str | None
    scope: str | None
    resources: tuple[str, ...]
    claims: Mapping[str, Any]


def claimed_client(assertion: str) -> str:
    """Return the client that an assertion speaks for, unverified: to find its keys (RFC 7521, section 4.2).

    Raises:
        Refused: `invalid_client`.
    """
    return _claimed(assertion, "sub", "The client assertion", ErrorCode.INVALID_CLIENT)


def claimed_issuer(assertion: str) -> str:
    """Return the issuer that signed a grant, as it says: to find whether it is trusted, and its keys.

    Raises:
        Refused: `invalid_grant`.
    """
    return _claimed(assertion, "iss", "The assertion", ErrorCode.INVALID_GRANT)


def verify_client_assertion(
    assertion: str,
    *,
    client_id: str,
    issuer: str,
    keys: Sequence[PublicJwk] | SharedSecrets,
    algorithms: frozenset[str],
    now: float,
    legacy_audiences: Collection[str] = (),
) -> ClientAssertion:
    """Check what a client assertion says (RFC 7523, section 3; OpenID Connect Core 1.0, section 9).

    `algorithms` are those that the client registered or, where it did not, ours; for `client_secret_jwt` HS* ones
    with `SharedSecrets`. `legacy_audiences` (the token endpoint's address) is for clients with the switch of that
    name: with it, `aud` may also be one of these, and a list.

    Raises:
        UnknownKey: none of the keys signed it; they may have changed.
        Refused: `invalid_client`.
    """
    try:
        policy = Policy(algorithms=algorithms, types=CLIENT_TYPES)
        verified = verify(assertion, keys, policy)
        check_times(verified.claims, _time_rules(now))
    except Rejected as rejected:
        raise refusal(ErrorCode.INVALID_CLIENT, "The client assertion", rejected) from None
    claims = verified.claims
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise _not_client("iss and sub must be the client_id", f"iss {claims.get('iss')!r:.200}")
    if not _is_for_us(claims.get("aud"), issuer, legacy_audiences):
        raise _not_client("aud must be the issuer", f"aud {claims.get('aud')!r:.200}")
    jti = claims.get("jti")
    if not _is_text(jti):
        raise _not_client(f"jti must be a text of 1 to {MAX_TEXT} characters")
    return ClientAssertion(client_id, jti, _remember_until(claims), verified.algorithm)


def verify_authorization_grant(
    assertion: str,
    *,
    trusted_issuer: str,
    issuer: str,
    keys: Sequence[PublicJwk],
    algorithms: frozenset[str],
    now: float,
) -> AuthorizationGrant:
    """Check a JWT authorization grant (RFC 7523, sections 2.1 and 3).

    `aud` may be a list of us alone: workloads cannot choose how their platform writes it. A list with anybody else
    is refused, because he could use the token here.

    Raises:
        UnknownKey: none of the issuer's keys signed it; they may have changed.
        Refused: `invalid_grant` (section 3.1).
    """
    policy = Policy(algorithms=algorithms, types=GRANT_TYPES)
    claims = _open_grant(assertion, keys, policy, _time_rules(now))
    _check_grant(claims, trusted_issuer, is_for_us=claims.get("aud") in (issuer, [issuer]))
    return _grant(claims)


def verify_id_jag(
    assertion: str,
    *,
    trusted_issuer: str,
    issuer: str,
    client_id: str,
    keys: Sequence[PublicJwk],
    algorithms: frozenset[str],
    now: float,
) -> AuthorizationGrant:
    """Check an Identity Assertion JWT Authorization Grant (its draft, sections 3.1 and 4.4.1).

    Typed `oauth-id-jag+jwt`, for us alone, and for the client that authenticated with this very request.

    Raises:
        UnknownKey: none of the identity provider's keys signed it; they may have changed.
        Refused: `invalid_grant`.
    """
    policy = Policy(algorithms=algorithms, types=frozenset({ID_JAG_TYPE}))
    rules = _time_rules(now, required=frozenset({"exp", "iat"}))
    claims = _open_grant(assertion, keys, policy, rules)
    _check_grant(claims, trusted_issuer, is_for_us=claims.get("aud") == issuer)
    if claims.get("client_id") != client_id:
        raise _no_grant("client_id is not the client of this request", f"{claims.get('client_id')!r:.200}")
    if claims.get("jti") is None:
        raise _no_grant("jti is required")
    return _grant(claims)


def _claimed(assertion: str, name: str, subject: str, error: ErrorCode) -> str:
    try:
        value = peek_claims(assertion).get(name)
    except Rejected as rejected:
        raise refusal(error, subject, rejected) from None
    if not isinstance(value, str) or not value:
        raise Refused(error, f"{subject} has no {name}")
    return value


def _time_rules(now: float, required: frozenset[str] = frozenset({"exp"})) -> TimeRules:
    return TimeRules(now=now, required=required, late=LATE_SECONDS, max_remaining=MAX_LIFETIME_SECONDS + 60)


def _remember_until(claims: Mapping[str, Any]) -> float:
    return float(claims["exp"]) + LATE_SECONDS + 1


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT


def _is_for_us(aud: object, issuer: str, legacy_audiences: Collection[str]) -> bool:
    """Compare byte by byte (RFC 7523, section 3, point 3), one text, and only with the switch a list."""
    if aud == issuer:
        return True
    values = aud if isinstance(aud, list) else [aud]
    return bool(legacy_audiences) and any(value in (issuer, *legacy_audiences) for value in values)


def _not_client(description: str, detail: str = "") -> Refused:
    return Refused(ErrorCode.INVALID_CLIENT, f"The client assertion: {description}", detail)


def _no_grant(description: str, detail: str = "") -> Refused:
    return Refused(ErrorCode.INVALID_GRANT, f"The assertion: {description}", detail)


def _open_grant(
    assertion: str, keys: Sequence[PublicJwk], policy: Policy, rules: TimeRules
) -> Mapping[str, Any]:
    try:
        claims = verify(assertion, keys, policy).claims
        check_times(claims, rules)
    except Rejected as rejected:
        raise refusal(ErrorCode.INVALID_GRANT, "The assertion", rejected) from None
    return claims


def _check_grant(claims: Mapping[str, Any], trusted_issuer: str, *, is_for_us: bool) -> None:
    if claims.get("iss") != trusted_issuer:
        raise _no_grant("iss is not the issuer that signed it", f"iss {claims.get('iss')!r:.200}")
    if not is_for_us:
        raise _no_grant("aud must be the issuer", f"aud {claims.get('aud')!r:.200}")
    if not _is_text(claims.get("sub")):
        raise _no_grant(f"sub must be a text of 1 to {MAX_TEXT} characters")
    for name in ("jti", "client_id", "scope"):
        if name in claims and not isinstance(claims[name], str):
            raise _no_grant(f"{name} must be a text")
    if len(claims.get("jti", "-")) not in range(1, MAX_TEXT + 1):
        raise _no_grant(f"jti must be a text of 1 to {MAX_TEXT} characters")


def _grant(claims: Mapping[str, Any]) -> AuthorizationGrant:
    resource = claims.get("resource", [])
    resources = resource if isinstance(resource, list) else [resource]
    if not all(isinstance(one, str) for one in resources):
        raise _no_grant("resource must be a text or a list of texts")
    return AuthorizationGrant(
        issuer=claims["iss"],
        subject=claims["sub"],
        jti=claims.get("jti"),
        remember_until=_remember_until(claims),
        client_id=claims.get("client_id"),
        scope=claims.get("scope"),
        resources=tuple(resources),
        claims=claims,
    )
