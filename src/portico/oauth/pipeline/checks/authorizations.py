"""Checks of what an authorization request asks for: proof key, scopes, resources, prompts, claims."""

import re
from datetime import timedelta
from typing import Any

from portico.oauth.pipeline.asks import Ask
from portico.oauth.protocol.oidc_claims import read_claims_parameter
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc7636_pkce import read_challenge
from portico.oauth.services.details import DetailsBook
from portico.oauth.services.id_tokens import IdTokens
from portico.oauth.settings import OAuthSettings

PROMPTS = frozenset({"none", "login", "consent", "select_account", "create"})
MAX_AGE_LIMIT = int(timedelta(days=3650).total_seconds())
_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)


async def challenge_is_good(ask: Ask) -> None:
    """Public clients send an S256 challenge, others unless they were let off (rows 1.6, 1.7, 3.1)."""
    challenge, method = ask.given.one("code_challenge"), ask.given.one("code_challenge_method")
    ask.challenge = read_challenge(challenge, method, is_required=ask.client.requires_pkce)


async def was_pushed_where_it_must(ask: Ask) -> None:
    """Client or deployment may insist on pushed requests (RFC 9126, section 5; FAPI 2.0, section 5.3.2.2)."""
    must = (
        ask.client.metadata.require_pushed_authorization_requests
        or ask.client.is_fapi
        or ask.runtime.section(OAuthSettings).requires_pushed_requests
    )
    if must and not ask.is_pushed:
        raise Refused(ErrorCode.INVALID_REQUEST, "the request must be pushed first")


async def was_signed_where_it_must(ask: Ask) -> None:
    """A client may insist on signed requests (RFC 9101, section 10.5)."""
    if ask.client.metadata.require_signed_request_object and not ask.is_signed:
        raise Refused(ErrorCode.INVALID_REQUEST, "the request must be signed")


async def prompts_are_known(ask: Ask) -> None:
    """`prompt` says what to show; `none` stands alone (OpenID Connect Core 1.0, section 3.1.2.1; row 25.3)."""
    prompts = frozenset((ask.given.one("prompt") or "").split())
    if "none" in prompts and len(prompts) > 1:
        raise Refused(ErrorCode.INVALID_REQUEST, "prompt none stands alone")
    ask.prompts = prompts & PROMPTS


async def max_age_is_a_number(ask: Ask) -> None:
    """`max_age` is in whole seconds; the client's default counts where it is left out (OIDC Core, 3.1.2.1)."""
    text = ask.given.one("max_age")
    if text is None:
        ask.max_age = ask.client.metadata.default_max_age
        return
    if _DIGITS.fullmatch(text) is None:
        raise Refused(ErrorCode.INVALID_REQUEST, "max_age is not a number of seconds")
    ask.max_age = min(int(text), MAX_AGE_LIMIT)


async def claims_are_readable(ask: Ask) -> None:
    """`claims` asks for single claims (OpenID Connect Core 1.0, section 5.5; row 25.6)."""
    text = ask.given.one("claims")
    if text is not None:
        ask.claims = read_claims_parameter(text)


async def hint_is_ours(ask: Ask) -> None:
    """`id_token_hint` names whom the client takes the visitor for; one of ours, expired or not (row 25.4)."""
    hint = ask.given.one("id_token_hint")
    if hint is None:
        return
    claims = ask.runtime.get(IdTokens).read_hint(hint)
    if claims is None or not _is_for(claims, ask.client.client_id):
        raise Refused(ErrorCode.INVALID_REQUEST, "id_token_hint is not one of ours for this client")
    ask.hinted_user = str(claims["sub"])


def _is_for(claims: dict[str, Any], client_id: str) -> bool:
    audience = claims.get("aud")
    return audience == client_id or (isinstance(audience, list) and client_id in audience)


async def details_are_known(ask: Ask) -> None:
    """`authorization_details` name types that are declared here (RFC 9396, section 5; row 20.1)."""
    text = ask.given.one("authorization_details")
    if text is None:
        return
    allowed = ask.client.metadata.authorization_details_types
    ask.details = ask.runtime.get(DetailsBook).read(text, allowed)
