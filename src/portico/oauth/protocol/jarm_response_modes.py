"""How the answer of the authorization endpoint travels, and what a signed one says.

OAuth 2.0 Multiple Response Type Encoding Practices, section 2.1; OAuth 2.0 Form Post Response Mode; JWT Secured
Authorization Response Mode for OAuth 2.0 (JARM). Only codes are handed out at the front, so no mode that puts the
answer into a fragment is offered; answers are signed, never encrypted: a code is worth nothing without its verifier.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from portico.oauth.protocol.refusals import ErrorCode, Refused

LIFETIME = timedelta(minutes=5)
"""A maximum of ten minutes is recommended (JARM, section 2.1)."""


class ResponseMode(NamedTuple):
    """How an answer travels: in the `query` or by a form (`form_post`), and whether as one signed JWT."""

    carrier: str
    is_signed: bool


PLAIN = ResponseMode("query", is_signed=False)
MODES: Mapping[str, ResponseMode] = {
    "query": PLAIN,
    "form_post": ResponseMode("form_post", is_signed=False),
    "jwt": ResponseMode("query", is_signed=True),
    "query.jwt": ResponseMode("query", is_signed=True),
    "form_post.jwt": ResponseMode("form_post", is_signed=True),
}
"""By the name that clients give; `jwt` is `query.jwt` where a code is asked for (JARM, section 2.3.4)."""


def read_response_mode(text: str | None) -> ResponseMode:
    """Return how the answer is to travel: in the query where nothing is said.

    Raises:
        Refused: invalid_request; there is no such mode, or it is for other response types than `code`.
    """
    if text is None:
        return PLAIN
    mode = MODES.get(text)
    if mode is None:
        why = "is for other response types" if text.startswith("fragment") else "is not supported"
        raise Refused(ErrorCode.INVALID_REQUEST, f"response_mode {why}", text[:200])
    return mode


def response_claims(
    parameters: Mapping[str, str], *, issuer: str, client_id: str, now: float
) -> dict[str, Any]:
    """Return what a signed answer says: all parameters of the answer, who gives it, to whom, until when.

    JARM, section 2.1. `iss` is the one of RFC 9207, too, and stands nowhere outside (RFC 9207, section 2).
    """
    return {**parameters, "iss": issuer, "aud": client_id, "exp": int(now + LIFETIME.total_seconds())}
