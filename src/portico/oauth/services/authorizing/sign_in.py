"""Whether the person who is signed in will do for a request (OpenID Connect Core 1.0, sections 3.1.2.3 and 5.5.1)."""

from datetime import datetime, timedelta
from typing import Any

from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from portico.oauth.pipeline.asks import Ask
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.services.subjects import subject_of

JUST_NOW = timedelta(seconds=1)


def is_person(principal: Principal) -> bool:
    """Tell whether it is a person at his own browser."""
    return principal.kind is PrincipalKind.USER and principal.credential is CredentialKind.COOKIE


def sign_in_fault(ask: Ask) -> str | None:
    """Return why the person must sign in, or once more; None if he need not (OpenID Connect Core 1.0, 3.1.2.3)."""
    principal = ask.principal
    if principal is None or principal.auth_time is None:
        return "nobody is signed in"
    if not _is_hinted(ask, principal):
        return "somebody else is signed in"
    since = ask.asked_at - JUST_NOW if ask.asked_at is not None else None
    if "login" in ask.prompts and not _is_after(principal.auth_time, since):
        return "the person must sign in again"
    is_fresh = _is_after(principal.auth_time, since)
    if (
        ask.max_age is not None
        and not is_fresh
        and ask.now - principal.auth_time >= timedelta(seconds=ask.max_age)
    ):
        return "the sign-in is too old"
    return None


def check_strength(ask: Ask, principal: Principal) -> None:
    """Refuse a sign-in that is weaker than the client insists on (OpenID Connect Core 1.0, section 5.5.1.1).

    Raises:
        Refused: unmet_authentication_requirements.
    """
    acrs = ask.claims.essential_acrs
    if acrs and f"aal{principal.aal}" not in acrs:
        raise Refused(
            ErrorCode.UNMET_AUTHENTICATION_REQUIREMENTS, "the sign-in is not as strong as asked for"
        )


def context_of(ask: Ask, principal: Principal) -> dict[str, Any]:
    """Return what ID tokens and userinfo will repeat of this authorization."""
    context: dict[str, Any] = {"acr": f"aal{principal.aal}", "amr": list(principal.amr)}
    if principal.auth_time is not None:
        context["auth_time"] = int(principal.auth_time.timestamp())
    if (nonce := ask.given.one("nonce")) is not None:
        context["nonce"] = nonce
    if ask.claims.userinfo or ask.claims.id_token:
        context["claims"] = ask.claims.as_document()
    return context


def _is_after(auth_time: datetime, since: datetime | None) -> bool:
    return since is not None and auth_time >= since


def _is_hinted(ask: Ask, principal: Principal) -> bool:
    subject = subject_of(ask.runtime, ask.client, principal.id)
    wanted = set(ask.claims.subjects)
    if ask.hinted_user is not None:
        wanted.add(ask.hinted_user)
    return wanted <= {subject}
