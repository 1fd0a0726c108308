"""How a browser gets in and out: the cookies that a page sets and takes back."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from portico.core.ids import SessionId
from portico.credentials.settings import CredentialsSettings
from portico.http.access import find_principal
from portico.http.authentication import CredentialKind
from portico.runtime import Runtime
from portico.sessions.cookies import CLEAR_SITE_DATA, DEVICE, PAGE
from portico.sessions.services import OpenedSession
from portico.sessions.settings import SessionsSettings
from portico.web.rendering import see_other


def present_session(request: Request) -> SessionId | None:
    """Return the browser session of the request; the one that is opened next takes its place."""
    principal = find_principal(request)
    if principal is None or principal.credential is not CredentialKind.COOKIE:
        return None
    return principal.session_id


def entered(
    request: Request, runtime: Runtime, opened: OpenedSession, path: str, message: str | None = None
) -> Response:
    """Lead on into the session that was just opened; the browser gets its cookie, which is a new one each time."""
    response = see_other(request, path, message)
    set_page_cookie(response, runtime, opened.cookie or "")
    remembered = runtime.section(CredentialsSettings).remember_device
    DEVICE.set(response, runtime.settings, opened.device_cookie, max_age=remembered)
    return response


def renewed(request: Request, runtime: Runtime, cookie: str, path: str) -> Response:
    """Lead on in the session that goes on under a new cookie."""
    response = see_other(request, path)
    set_page_cookie(response, runtime, cookie)
    return response


def set_page_cookie(
    response: Response, runtime: Runtime, cookie: str, *, max_age: timedelta | None = None
) -> None:
    """Set the session cookie; it lives as long as the session may at most."""
    longest: timedelta = runtime.section(SessionsSettings).page_absolute
    PAGE.set(response, runtime.settings, cookie, max_age=max_age or longest)


def left(request: Request, runtime: Runtime, message: str) -> Response:
    """Lead to sign-in after a sign-out; the browser forgets what it kept of the person (ASVS 5.0 V14.3.1)."""
    response = see_other(request, "/login", message)
    response.headers["Clear-Site-Data"] = CLEAR_SITE_DATA
    PAGE.delete(response, runtime.settings)
    return response
