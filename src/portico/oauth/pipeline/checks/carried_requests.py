"""Requests that come in another wrapping: pushed before (RFC 9126), or signed (RFC 9101)."""

from collections.abc import Sequence

from portico.oauth.pipeline.asks import Ask, Endpoint
from portico.oauth.pipeline.checks.client_authentication import with_keys
from portico.oauth.pipeline.checks.requests import response_mode_is_offered
from portico.oauth.pipeline.parameters import RESERVED, SIGNED, Parameters
from portico.oauth.protocol.jose import ASYMMETRIC, STRONG, PublicJwk
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc9101_request_objects import (
    FAPI_MESSAGE_SIGNING,
    GENERAL,
    RequestObjectRules,
    check_one_way,
    read_request_object,
)
from portico.oauth.repositories import FoundRequest, RequestRepository
from portico.oauth.services.clients import Client
from portico.oauth.types import REQUEST_URI_PREFIX, REQUESTS, RequestKind, SenderKey
from portico.tokens.secret_format import NotASecret


async def request_is_carried_one_way(ask: Ask) -> None:
    """By value or by reference, not both (RFC 9101, section 5)."""
    check_one_way(ask.given.one("request"), ask.given.one("request_uri"))


async def pushed_request_is_opened(ask: Ask) -> None:
    """A `request_uri` of ours stands for what this client pushed; no other is taken (rows 13.1, 14.1)."""
    uri = ask.given.one("request_uri")
    if uri is None:
        return
    if ask.endpoint is not Endpoint.AUTHORIZE:
        raise Refused(ErrorCode.INVALID_REQUEST, "request_uri cannot be pushed")
    if not uri.startswith(REQUEST_URI_PREFIX):
        await _note_answering(ask)
        raise Refused(ErrorCode.REQUEST_URI_NOT_SUPPORTED, "only pushed requests are taken by reference")
    found = await _find(ask, uri)
    pushed = Parameters(found.parameters)
    ask.given, ask.is_signed = pushed.without(SIGNED), pushed.has(SIGNED)
    ask.is_pushed, ask.pushed_id = True, found.id
    if found.jkt is not None:
        ask.sender = SenderKey(jkt=found.jkt)


async def signed_request_is_opened(ask: Ask) -> None:
    """Of a signed request only what is signed counts (RFC 9101, section 6.3; row 14.1)."""
    text = ask.given.one("request")
    if text is None:
        return
    client = ask.client
    pairs: Sequence[tuple[str, str]] = ()

    async def check(keys: Sequence[PublicJwk]) -> None:
        nonlocal pairs
        pairs = read_request_object(
            text,
            client_id=client.client_id,
            issuer=ask.runtime.settings.public_url,
            keys=keys,
            now=ask.now.timestamp(),
            algorithms=_algorithms(client),
            rules=_rules(client),
        )

    try:
        await with_keys(ask, client, check)
    except Refused as refused:
        if refused.error is ErrorCode.INVALID_CLIENT:  # its keys cannot be had
            raise Refused(ErrorCode.INVALID_REQUEST_OBJECT, refused.description, refused.detail) from None
        raise
    ask.given = Parameters((name, value) for name, value in pairs if not name.startswith(RESERVED))
    ask.is_signed = True


async def _note_answering(ask: Ask) -> None:
    """Let the client hear of a wrapping that is not offered, by the redirect that stands outside, if it is its own."""
    outside = ask.given.one("redirect_uri")
    if outside is not None and ask.client.has_redirect(outside):
        ask.redirect_uri = outside
        await response_mode_is_offered(ask)


def _algorithms(client: Client) -> frozenset[str]:
    registered = client.metadata.request_object_signing_alg
    offered = STRONG if client.is_fapi else ASYMMETRIC
    return offered if registered is None else offered & {registered}


def _rules(client: Client) -> RequestObjectRules:
    return FAPI_MESSAGE_SIGNING if client.is_fapi else GENERAL


async def _find(ask: Ask, uri: str) -> FoundRequest:
    found = None
    try:
        secret_hash = REQUESTS.hash_of(uri.removeprefix(REQUEST_URI_PREFIX))
    except NotASecret:
        secret_hash = None
    if secret_hash is not None:
        async with ask.runtime.reads() as session:
            found = await RequestRepository(session).find(secret_hash)
    if found is None or found.kind is not RequestKind.PUSHED or found.client_key != ask.client.key:
        raise Refused(ErrorCode.INVALID_REQUEST_URI, "request_uri is unknown")
    if found.spent_at is not None or found.expires_at <= ask.now:
        raise Refused(ErrorCode.INVALID_REQUEST_URI, "request_uri is good no more")
    return found
