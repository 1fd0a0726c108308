"""How the authorization endpoint answers browsers: redirects, self-posting forms, and refusals that stay here."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from portico.http.content_policy import csp_nonce, page_policy
from portico.oauth.protocol.redirect_uris import host_shown
from portico.oauth.services.authorizing import Answer, Decision, NotSentBack, SignInNeeded
from portico.oauth.services.return_addresses import RESUME, form_target
from portico.web.rendering import render

SEE_OTHER = 303
"""After a form, so that no password is ever posted on (RFC 9700, section 4.12; row 1.19)."""
CONSENT = "/oauth/consent"
REFUSED = "oauth/refused.html.jinja"
OVER = "oauth/over.html.jinja"
FORM_POST = "oauth/form_post.html.jinja"
LONGEST_HINT = 320


def decided(request: Request, decision: Decision) -> Response:
    """Return where the browser goes next."""
    if isinstance(decision, Answer):
        return answered(request, decision)
    if isinstance(decision, SignInNeeded):
        return _to(sign_in_path(decision))
    return _to(f"{CONSENT}?{urlencode({'ticket': decision.ticket})}")


def sign_in_path(needed: SignInNeeded) -> str:
    """Return the page on which somebody signs in, or signs up, and goes on with the request."""
    query = {"next": f"{RESUME}?{urlencode({'ticket': needed.ticket})}"}
    if needed.is_new:
        return f"/signup?{urlencode(query)}"
    if needed.again:
        query["again"] = "1"
    if needed.login_hint:
        query["login_hint"] = needed.login_hint[:LONGEST_HINT]
    return f"/login?{urlencode(query)}"


def answered(request: Request, answer: Answer) -> Response:
    """Send the answer to the client, in the way that it asked for."""
    if answer.carrier == "form_post":
        return _form_post(request, answer)
    return _to(location_of(answer))


def location_of(answer: Answer) -> str:
    """Return the redirect URI with the parameters added to its query (OAuth 2.1, section 4.1.2)."""
    joint = "&" if "?" in answer.redirect_uri else "?"
    return f"{answer.redirect_uri}{joint}{urlencode(answer.parameters)}"


def not_sent_back(request: Request, kept: NotSentBack) -> Response:
    """Show a refusal; it goes to nobody but the visitor, unless he follows the link (rows 1.3, 1.21)."""
    if kept.is_over:
        return without_referrer(render(request, OVER, 400))
    there = kept.goes_to
    response = render(
        request,
        REFUSED,
        400,
        refusal=kept.refusal,
        link=location_of(there) if there is not None else None,
        host=host_shown(there.redirect_uri) if there is not None else None,
    )
    return without_referrer(response)


def without_referrer(response: Response) -> Response:
    """Let no page tell another one where it was: addresses here hold tickets and requests (row 1.20)."""
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def allowing(request: Request, response: Response, *sources: str) -> Response:
    """Let the forms of a page lead to these places besides ours, and tell none of them where they came from."""
    policy = page_policy(csp_nonce(request), form_action=("'self'", *sources))
    response.headers["Content-Security-Policy"] = policy
    return without_referrer(response)


def _form_post(request: Request, answer: Answer) -> Response:
    """A form that posts itself, or by its button (OAuth 2.0 Form Post Response Mode, section 2; row 23.1)."""
    nonce = csp_nonce(request)
    response = render(request, FORM_POST, answer=answer, host=host_shown(answer.redirect_uri))
    response.headers["Content-Security-Policy"] = page_policy(
        nonce, form_action=(form_target(answer.redirect_uri),)
    )
    return without_referrer(response)


def _to(location: str) -> Response:
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(location, SEE_OTHER, headers=headers)
