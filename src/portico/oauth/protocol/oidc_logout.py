"""Signing out everywhere: what the client's request must be, and what relying parties are told.

RP-Initiated Logout 1.0, Back-Channel Logout 1.0 and Front-Channel Logout 1.0. The request comes with the browser and
proves nothing: without a hint that we issued to the person who is signed in, the person is asked.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from portico.oauth.protocol.redirect_uris import is_registered
from portico.oauth.protocol.refusals import ErrorCode, Refused

LOGOUT_TOKEN_TYPE = "logout+jwt"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LONGEST_LOGOUT_TOKEN = 120
"""Seconds that a logout token is good at most (Back-Channel Logout 1.0, section 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutRequest:
    """The parameters that decide something; an empty one counts as omitted."""

    id_token_hint: str | None = None
    client_id: str | None = None
    post_logout_redirect_uri: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """A hint that we signed, for this issuer; that it has expired does not matter (section 2)."""

    client_id: str
    subject: str
    sid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutVerdict:
    """What to do: ask the person or not, and where the browser goes in the end (None: a page of ours)."""

    asks: bool
    client_id: str | None
    return_to: str | None


def client_of(request: LogoutRequest, hint: Hint | None) -> str | None:
    """Return the client that the request speaks for, or None; `hint` is None where none came.

    Raises:
        Refused: invalid_request; the hint was issued to another client than `client_id` says (section 2).
    """
    if hint is None:
        return request.client_id
    if request.client_id is not None and request.client_id != hint.client_id:
        raise _refused("client_id is not the client that id_token_hint was issued to")
    return hint.client_id


def judge_logout(
    request: LogoutRequest,
    hint: Hint | None,
    *,
    registered: Collection[str] | None,
    is_own_session: bool,
) -> LogoutVerdict:
    """Return what to do (sections 2 and 3).

    `registered` are the `post_logout_redirect_uris` of `client_of(…)`, None where there is no such client.
    `is_own_session` says that the hint's session or subject is the one that is signed in, or that nobody is; without
    it, and without a hint at all, the person decides. Hints that are not ours never get here: they are refused.

    Raises:
        Refused: invalid_request; a redirect that is not registered, or without a client who could have registered it:
            the answer is a page, never a redirect (section 3).
    """
    client_id = client_of(request, hint)
    asks = hint is None or not is_own_session
    if request.post_logout_redirect_uri is None:
        return LogoutVerdict(asks=asks, client_id=client_id, return_to=None)
    if client_id is None:
        raise _refused("post_logout_redirect_uri needs id_token_hint or client_id")
    if registered is None or not is_registered(request.post_logout_redirect_uri, registered):
        raise _refused("post_logout_redirect_uri is not registered")
    return LogoutVerdict(
        asks=asks,
        client_id=client_id,
        return_to=with_parameters(request.post_logout_redirect_uri, {"state": request.state}),
    )


def logout_token_claims(
    *, issuer: str, client_id: str, jti: str, now: int, subject: str | None, sid: str | None
) -> dict[str, Any]:
    """Return the claims of a logout token (Back-Channel Logout 1.0, section 2.4); there is never a `nonce`.

    Raises:
        ValueError: neither `subject` nor `sid`: nobody would know whose session is over.
    """
    if subject is None and sid is None:
        raise ValueError("a logout token names a subject or a session")
    whose = {"sub": subject, "sid": sid}
    return {
        "iss": issuer,
        "aud": client_id,
        "iat": now,
        "exp": now + LONGEST_LOGOUT_TOKEN,
        "jti": jti,
        "events": {LOGOUT_EVENT: {}},
        **{name: value for name, value in whose.items() if value is not None},
    }


def frontchannel_uri(uri: str, *, issuer: str, sid: str, session_required: bool) -> str:
    """Return what is loaded in a frame to sign out of a client (Front-Channel Logout 1.0, section 2)."""
    return with_parameters(uri, {"iss": issuer, "sid": sid} if session_required else {})


def with_parameters(uri: str, parameters: Mapping[str, str | None]) -> str:
    """Return the URI with parameters added to what its query has; those that are None are left out."""
    text = urlencode({name: value for name, value in parameters.items() if value is not None})
    if not text:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}{text}"


def _refused(why: str) -> Refused:
    return Refused(ErrorCode.INVALID_REQUEST, why)
