"""How a client proves who it is, where it asks by itself: token, revocation, introspection, pushed request, device.

Exactly one way is used in a request, and it is the one that the client is registered for; of the two ways to send a
secret either is taken. Whatever is wrong, the answer is `invalid_client` and tells nothing of what would be right.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import unquote_plus

from portico.coordination.counters import Counters, parse_windows
from portico.core.context import current_request
from portico.core.crypto import digest, same
from portico.core.errors import RateLimited
from portico.http.refusals import RefusalKind, RefusalLog
from portico.oauth.errors import OAuthRefusal
from portico.oauth.pipeline.asks import Ask, Once
from portico.oauth.protocol.jose import ASYMMETRIC, HMAC, STRONG, PublicJwk, SharedSecrets
from portico.oauth.protocol.refusals import ErrorCode, Refused, UnknownKey
from portico.oauth.protocol.rfc7523_client_assertions import (
    CLIENT_ASSERTION_TYPE,
    claimed_client,
    verify_client_assertion,
)
from portico.oauth.protocol.rfc7591_registration import as_document
from portico.oauth.protocol.rfc8705_mutual_tls import (
    check_self_signed,
    check_subject,
    check_validity,
    parse_certificate,
    read_subject_rule,
)
from portico.oauth.services.client_keys import ClientKeys
from portico.oauth.services.client_secrets import SEALING_KEY
from portico.oauth.services.clients import Client, ClientBook
from portico.oauth.services.trusted_issuers import TrustedIssuers
from portico.oauth.types import AuthMethod, GrantType

MAX_BASIC = 2_000
FAILURES = parse_windows("20/minute 200/hour")
"""Failed proofs of one client from one address, before it has to wait (row 1.14)."""
OTHER_PROOFS = ("client_secret", "client_assertion")
WITH_SECRET = frozenset({AuthMethod.BASIC, AuthMethod.POST})


async def client_is_authenticated(ask: Ask) -> None:
    """The client is who it says it is (OAuth 2.1, sections 2.4 and 2.5; rows 1.12 to 1.14, 18.1, 19.1)."""
    if await workload_is_vouched_for(ask):
        return
    client_id, method, proof = _presented(ask)
    client = await ask.runtime.get(ClientBook).find(client_id)
    if client is None or not _fits(client, method):
        raise await _failed(ask, client_id, "unknown, or registered for another method")
    try:
        await METHODS[method](ask, client, proof)
    except Refused as refused:
        raise await _failed(ask, client_id, refused.detail or refused.description) from None
    ask.client_ = client
    ask.auth_method = method


async def workload_is_vouched_for(ask: Ask) -> bool:
    """Take a workload by what its platform says of it, where it brings nothing else (RFC 7523, section 2.1; row 30.11).

    Raises:
        Refused: invalid_grant; the platform is trusted, and what it says is not good.
    """
    text = ask.given.one("assertion")
    is_asked = ask.given.one("grant_type") == GrantType.JWT_BEARER and text is not None
    if not is_asked or ask.transport.authorization is not None or any(map(ask.given.has, OTHER_PROOFS)):
        return False
    issuers = ask.runtime.get(TrustedIssuers)
    if text is None or not issuers.is_of_workloads(text):
        return False
    vouched = await issuers.read(text, now=ask.now)
    client = await ask.runtime.get(ClientBook).find_known(issuers.client_of(vouched) or "")
    if client is None or ask.given.one("client_id") not in {None, client.client_id}:
        raise Refused(ErrorCode.INVALID_GRANT, "the assertion speaks for no client here", vouched.subject)
    ask.client_, ask.auth_method, ask.vouched = client, AuthMethod.PRIVATE_KEY_JWT, vouched
    return True


async def client_can_prove_itself(ask: Ask) -> None:
    """Nobody asks about tokens without a proof (RFC 7662, section 2.1)."""
    if ask.auth_method is AuthMethod.NONE:
        raise OAuthRefusal(ErrorCode.INVALID_CLIENT, "the client must authenticate", status=401)


def _presented(ask: Ask) -> tuple[str, AuthMethod, str]:
    """Return client, method and proof; of several ways none is chosen (RFC 6749, section 2.3)."""
    given = ask.given
    ways: list[tuple[str, AuthMethod, str]] = []
    header = ask.transport.authorization
    if header is not None and header[:6].lower() == "basic ":
        ways.append(_read_basic(header[6:]))
    if (secret := given.one("client_secret")) is not None:
        ways.append((given.one("client_id") or "", AuthMethod.POST, secret))
    if (assertion := given.one("client_assertion")) is not None:
        ways.append(_read_assertion(ask, assertion))
    if len(ways) > 1:
        raise Refused(ErrorCode.INVALID_REQUEST, "the client authenticates in more than one way")
    client_id = given.one("client_id")
    if not ways:
        if client_id is None:
            raise OAuthRefusal(ErrorCode.INVALID_CLIENT, "the client is not named", status=401)
        return client_id, AuthMethod.NONE, ""
    if client_id is not None and client_id != ways[0][0]:
        raise Refused(ErrorCode.INVALID_REQUEST, "client_id is another one than that which authenticates")
    return ways[0]


def _read_basic(encoded: str) -> tuple[str, AuthMethod, str]:
    """RFC 6749, section 2.3.1: both halves are form-encoded before they are joined and put into base64 (row 1.13)."""
    try:
        text = base64.b64decode(encoded[:MAX_BASIC].strip(), validate=True).decode("utf-8")
        client_id, colon, secret = text.partition(":")
        client_id, secret = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        raise _unreadable() from None
    if not colon or not client_id or "\0" in client_id:
        raise _unreadable()
    return client_id, AuthMethod.BASIC, secret


def _unreadable() -> OAuthRefusal:
    return OAuthRefusal(
        ErrorCode.INVALID_CLIENT,
        "the Authorization header cannot be read",
        status=401,
        headers={"WWW-Authenticate": CHALLENGE},
    )


def _read_assertion(ask: Ask, assertion: str) -> tuple[str, AuthMethod, str]:
    if ask.given.one("client_assertion_type") != CLIENT_ASSERTION_TYPE:
        raise Refused(ErrorCode.INVALID_REQUEST, "client_assertion_type is not supported")
    return claimed_client(assertion), AuthMethod.PRIVATE_KEY_JWT, assertion


def _fits(client: Client, method: AuthMethod) -> bool:
    registered = client.auth_method
    if registered is method or {registered, method} <= WITH_SECRET:
        return True
    if registered is AuthMethod.SECRET_JWT:
        return method is AuthMethod.PRIVATE_KEY_JWT
    return method is AuthMethod.NONE and registered in {AuthMethod.TLS, AuthMethod.SELF_SIGNED_TLS}


async def _check_nothing(ask: Ask, client: Client, _proof: str) -> None:
    """A public client says its name; one with a certificate shows it on the connection (RFC 8705, section 2)."""
    if client.is_public:
        return
    if ask.transport.certificate is None:
        raise Refused(ErrorCode.INVALID_CLIENT, "no certificate")
    certificate = parse_certificate(ask.transport.certificate)
    check_validity(certificate, ask.now.timestamp())
    if client.auth_method is AuthMethod.TLS:
        check_subject(certificate, read_subject_rule(as_document(client.metadata)))
        return

    async def check(keys: Sequence[PublicJwk]) -> None:
        check_self_signed(certificate, keys)

    await with_keys(ask, client, check)


async def _check_secret(ask: Ask, client: Client, secret: str) -> None:
    """Compare SHA-256 of a secret of 256 random bits; while one follows another, two are good.

    Its form is not looked at: what is no secret of ours has the hash of none.
    """
    hashed = digest(secret)
    live = [each for each in client.secrets if each.expires_at is None or ask.now < each.expires_at]
    if not any(same(hashed, each.secret_hash) for each in live):
        raise Refused(ErrorCode.INVALID_CLIENT, "another secret")


async def _check_assertion(ask: Ask, client: Client, assertion: str) -> None:
    """A JWT that the client signed, for us, once (RFC 7523, section 3; row 18.1)."""
    issuer = ask.runtime.settings.public_url
    legacy = (f"{issuer}/oauth/token", ask.transport.url) if client.policy.accepts_legacy_audience else ()

    async def check(keys: Sequence[PublicJwk] | SharedSecrets) -> None:
        proven = verify_client_assertion(
            assertion,
            client_id=client.client_id,
            issuer=issuer,
            keys=keys,
            algorithms=_algorithms(client),
            now=ask.now.timestamp(),
            legacy_audiences=legacy,
        )
        ask.once.append(
            Once("assertion", client.client_id, proven.jti, proven.remember_until, ErrorCode.INVALID_CLIENT)
        )

    if client.auth_method is AuthMethod.SECRET_JWT:
        await check(_shared_secrets(ask, client))
        return
    await with_keys(ask, client, check)


def _algorithms(client: Client) -> frozenset[str]:
    """Return the one algorithm that the client registered, else ours (OpenID Connect Registration 1.0, section 2).

    What was registered before the client was put under the profile counts no more if the profile does not have it.
    """
    offered = STRONG if client.is_fapi else ASYMMETRIC
    if client.auth_method is AuthMethod.SECRET_JWT:
        offered = frozenset(HMAC)
    registered = client.metadata.token_endpoint_auth_signing_alg
    return offered if registered is None else offered & {registered}


def _shared_secrets(ask: Ask, client: Client) -> SharedSecrets:
    secrets = ask.runtime.secret
    return SharedSecrets(
        tuple(
            secrets.open(SEALING_KEY, each.sealed, context=each.id.bytes)
            for each in client.secrets
            if each.sealed is not None and (each.expires_at is None or ask.now < each.expires_at)
        )
    )


async def with_keys(
    ask: Ask, client: Client, check: Callable[[Sequence[PublicJwk]], Awaitable[None]]
) -> None:
    """Check by the client's keys, and once more by those that it publishes now if none of the known ones fits.

    Raises:
        Refused: the check says no, or its keys cannot be had.
    """
    keys = ask.runtime.get(ClientKeys)
    try:
        await check(await keys.of(client))
    except UnknownKey:
        await check(await keys.of(client, afresh=True))


METHODS: Mapping[AuthMethod, Callable[[Ask, Client, str], Awaitable[None]]] = {
    AuthMethod.NONE: _check_nothing,
    AuthMethod.BASIC: _check_secret,
    AuthMethod.POST: _check_secret,
    AuthMethod.PRIVATE_KEY_JWT: _check_assertion,
}
"""By the way in which the proof is sent."""

CHALLENGE = 'Basic realm="portico", charset="UTF-8"'


async def _failed(ask: Ask, client_id: str, log: str) -> OAuthRefusal | RateLimited:
    """Count the failure and return the refusal; with a challenge where the header was used (RFC 6749, section 5.2)."""
    if (refusals := ask.runtime.find(RefusalLog)) is not None:
        refusals.note(RefusalKind.CREDENTIAL, ErrorCode.INVALID_CLIENT.value, None)
    address = current_request().client_address or "-"
    counters = ask.runtime.get(Counters)
    verdict = await counters.hit(f"oauth.client:{client_id[:200]}:{address}", FAILURES)
    if not verdict.allowed:
        return RateLimited(
            "Too many failed attempts of this client", retry_after=int(verdict.retry_after) + 1
        )
    headers = {"WWW-Authenticate": CHALLENGE} if ask.transport.authorization is not None else {}
    return OAuthRefusal(
        ErrorCode.INVALID_CLIENT, "client authentication failed", log=log, status=401, headers=headers
    )
