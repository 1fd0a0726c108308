"""Checks of the FAPI 2.0 Security Profile, for clients that keep to it (row 24.1)."""

from portico.oauth.pipeline.asks import Ask
from portico.oauth.protocol.fapi2_security_profile import (
    AUTHORIZATION_CHECKS,
    TOKEN_CHECKS,
    AuthorizationFacts,
    TokenFacts,
    enforce,
)


async def authorization_fits_profile(ask: Ask) -> None:
    """Pushed, with a challenge, for a code (FAPI 2.0, section 5.3.2.2)."""
    if not ask.client.is_fapi:
        return
    facts = AuthorizationFacts(
        is_pushed=ask.is_pushed or ask.endpoint == "par",
        response_type=ask.given.one("response_type"),
        redirect_uri=ask.given.one("redirect_uri"),
        code_challenge_method=ask.given.one("code_challenge_method"),
        is_answer_signed=ask.response_mode.is_signed,
        wants_signed_answers=ask.client.metadata.authorization_signed_response_alg is not None,
    )
    enforce(AUTHORIZATION_CHECKS, facts)


async def token_request_fits_profile(ask: Ask) -> None:
    """By a client that proved itself with a key, for tokens that are bound to one (FAPI 2.0, section 5.3.2.1)."""
    if not ask.client.is_fapi:
        return
    enforce(TOKEN_CHECKS, TokenFacts(auth_method=ask.client.auth_method.value, is_bound=bool(ask.sender)))
