"""Where a visitor was going when he had to sign in or sign up first: he is led on there in the end.

Between the pages it stands in their address and forms. Where a message has to be read in between, it waits in a cookie
of the browser that asked, not in the message: whoever signs somebody else's address up would choose where its owner is
led.
"""

from datetime import timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from portico.http.content_policy import csp_nonce, page_policy
from portico.runtime import Runtime
from portico.sessions.ports import SignInDestinations
from portico.web.redirects import HOME, safe_next

NAME = "portico_onward"
REMEMBERED = timedelta(minutes=30)


def path_with(path: str, target: str, **more: str) -> str:
    """Return a page's address that takes the target along, and whatever else is not empty."""
    query = {"next": "" if target == HOME else target, **more}
    said = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(said)}" if said else path


async def allowing(request: Request, runtime: Runtime, response: Response, target: str) -> Response:
    """Let the page's form lead to where the answer is sent on to in the end, also outside of this server."""
    destinations = runtime.find(SignInDestinations)
    targets = await destinations.targets_of(target) if destinations is not None else ()
    if targets:
        policy = page_policy(csp_nonce(request), form_action=("'self'", *targets))
        response.headers["Content-Security-Policy"] = policy
    return response


def remember(runtime: Runtime, response: Response, target: str) -> Response:
    """Keep the target in the browser until an address is proven, half an hour at most."""
    if target != HOME:
        response.set_cookie(
            _name(runtime),
            target,
            max_age=int(REMEMBERED.total_seconds()),
            path="/",
            secure=runtime.settings.is_https,
            httponly=True,
            samesite="lax",
        )
    return response


def remembered(request: Request, runtime: Runtime) -> str:
    """Return the target that this browser keeps; the account where it keeps none, or one that is not ours."""
    return safe_next(request.cookies.get(_name(runtime)))


def forget(runtime: Runtime, response: Response) -> Response:
    """Take the target back: the visitor is on his way."""
    secure = runtime.settings.is_https
    response.delete_cookie(_name(runtime), path="/", secure=secure, httponly=True, samesite="lax")
    return response


def _name(runtime: Runtime) -> str:
    return f"__Host-{NAME}" if runtime.settings.is_https else NAME
