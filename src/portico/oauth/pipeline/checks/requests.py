"""Checks of the request as such: who asks, where the answer goes, in which form."""

from portico.keys.services import ensure_keys
from portico.oauth.errors import OAuthRefusal
from portico.oauth.pipeline.asks import Ask, Endpoint
from portico.oauth.protocol.jarm_response_modes import read_response_mode
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.services.clients import ClientBook
from portico.oauth.services.signed_responses import purpose_of_responses
from portico.oauth.types import ClientSource, GrantType

MAX_STATE = 2_000
DECIDE_WHERE = frozenset({"client_id", "redirect_uri", "request", "request_uri"})
"""Parameters that say where the answer goes: given twice, nobody can tell."""


async def names_itself_once(ask: Ask) -> None:
    """What decides where the answer goes is given once (OAuth 2.1, section 3.1)."""
    if twice := ask.given.repeated & DECIDE_WHERE:
        raise Refused(ErrorCode.INVALID_REQUEST, f"{min(twice)} was given more than once")


async def repeats_nothing(ask: Ask) -> None:
    """No parameter is given more than once (OAuth 2.1, sections 3.1 and 3.2; row 1.4)."""
    if twice := ask.given.repeated:
        raise Refused(ErrorCode.INVALID_REQUEST, f"{min(twice)} was given more than once")


async def client_is_known(ask: Ask) -> None:
    """There is such a client (OAuth 2.1, section 4.1.1; row 1.3)."""
    client_id = ask.given.one("client_id")
    if client_id is None:
        raise Refused(ErrorCode.INVALID_REQUEST, "client_id is missing")
    client = await ask.runtime.get(ClientBook).find(client_id)
    if client is None:
        raise Refused(ErrorCode.INVALID_CLIENT, "there is no such client", client_id[:200])
    ask.client_ = client


async def client_is_on(ask: Ask) -> None:
    """The client was not switched off."""
    if ask.client.is_off:
        raise Refused(ErrorCode.UNAUTHORIZED_CLIENT, "the client was switched off")


async def redirect_is_registered(ask: Ask) -> None:
    """The browser is sent to a registered place or nowhere (OAuth 2.1, section 4.1.1; rows 1.1 to 1.3).

    It may be left out where only one is registered and nothing of OpenID Connect is asked for, which wants it always
    (OpenID Connect Core 1.0, section 3.1.2.1), as does FAPI 2.0.
    """
    asked = ask.given.one("redirect_uri")
    client = ask.client
    if asked is None:
        only = client.metadata.redirect_uris
        is_openid = "openid" in (ask.given.one("scope") or "").split(" ", 50)
        if len(only) != 1 or is_openid or client.is_fapi:
            raise Refused(ErrorCode.INVALID_REQUEST, "redirect_uri is missing")
        ask.redirect_uri, ask.names_redirect = only[0], False
        return
    if not client.has_redirect(asked):
        raise Refused(
            ErrorCode.INVALID_REQUEST, "redirect_uri is not registered for this client", asked[:200]
        )
    ask.redirect_uri, ask.names_redirect = asked, True


async def response_mode_is_offered(ask: Ask) -> None:
    """The answer comes in the query or by a form, signed if the client wants that (Form Post; JARM; row 22.1).

    A key is made here if there is none, for an answer may be given within a transaction.
    """
    ask.response_mode = read_response_mode(ask.given.one("response_mode"))
    if ask.response_mode.is_signed and ask.endpoint is Endpoint.AUTHORIZE:
        await ensure_keys(ask.runtime, [purpose_of_responses(ask.client)])


async def response_type_is_code(ask: Ask) -> None:
    """Only codes are handed out at the front (OAuth 2.1, section 4.1.1; row 1.18)."""
    response_type = ask.given.one("response_type")
    if response_type is None:
        raise Refused(ErrorCode.INVALID_REQUEST, "response_type is missing")
    if response_type != "code":
        raise Refused(ErrorCode.UNSUPPORTED_RESPONSE_TYPE, "response_type must be code")
    if not ask.client.may_use(GrantType.AUTHORIZATION_CODE):
        raise Refused(ErrorCode.UNAUTHORIZED_CLIENT, "the client is not registered for authorization codes")


async def state_and_nonce_are_short(ask: Ask) -> None:
    """What is sent back is bounded; long values still work (ASVS 5.0 V4.2.5)."""
    for name in ("state", "nonce"):
        if len(ask.given.one(name) or "") > MAX_STATE:
            raise Refused(ErrorCode.INVALID_REQUEST, f"{name} has more than {MAX_STATE} characters")


async def registration_is_not_inline(ask: Ask) -> None:
    """Self-issued registration is not offered (OpenID Connect Core 1.0, section 7.2.1; row 25.5)."""
    if ask.given.has("registration"):
        raise Refused(ErrorCode.REGISTRATION_NOT_SUPPORTED, "registration is not supported")


def is_trusted(ask: Ask) -> bool:
    """Tell whether somebody whom we know vouches for the client's redirects (RFC 9700, section 4.11.2)."""
    return ask.client.source in {ClientSource.ADMINISTRATOR, ClientSource.ORGANIZATION}


def refusal_of(refused: Refused) -> OAuthRefusal:
    """Return the refusal of a rule as an answer."""
    return OAuthRefusal.of(refused)
