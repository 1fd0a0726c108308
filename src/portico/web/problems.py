"""Refusals that have no page of their own, as pages: what happened, and one way out.

A machine gets a problem document instead (`portico.http`); so does everybody under `/api/`. Nothing of the inside
is shown: the sentences are ours, the number is that of the request in the log.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from portico.core.context import current_request
from portico.core.errors import PorticoError, Unauthenticated
from portico.http.access import find_principal
from portico.web.redirects import safe_next
from portico.web.rendering import render, see_other
from portico.web.translations import mark

LOGIN = "/login"
API = "/api/"
SAFE_METHODS = {"GET", "HEAD"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a page says about a status."""

    title: str
    text: str
    icon: str = "alert"


EXPLANATIONS = {
    400: Explanation(
        mark("That did not arrive well"), mark("The request could not be read. Go back and try again.")
    ),
    403: Explanation(
        mark("Not for this account"),
        mark("You may not do this, or the page was open for too long. Go back, reload it and try again."),
        "lock",
    ),
    404: Explanation(
        mark("Page not found"),
        mark("There is nothing at this address. It may have moved, or the link is incomplete."),
        "compass",
    ),
    405: Explanation(mark("Not this way"), mark("This address is not meant to be opened like that.")),
    410: Explanation(
        mark("This link is no longer good"),
        mark("It was used already, or it has expired. Ask for a new one."),
        "clock",
    ),
    413: Explanation(mark("Too much at once"), mark("What was sent is larger than this page takes.")),
    429: Explanation(
        mark("A little slower, please"),
        mark("There were too many requests in a short time. Wait a moment and try again."),
        "clock",
    ),
    503: Explanation(
        mark("Busy at the moment"),
        mark("More is going on than the server can take. Try again in a moment."),
        "clock",
    ),
}
OTHERWISE = Explanation(
    mark("Something went wrong"), mark("It is our fault, not yours. It was written down; try again later.")
)


def wants_page(request: Request) -> bool:
    """Tell whether a person is looking: a browser asks for HTML, and not of the API."""
    accepted = request.headers.get("accept", "")
    return "text/html" in accepted and not request.url.path.startswith(API)


def problem_page(request: Request, error: PorticoError) -> Response:
    """Return the page for a refusal; whoever must sign in first is led there and back again."""
    if isinstance(error, Unauthenticated):
        return _to_login(request)
    explained = EXPLANATIONS.get(error.status, OTHERWISE)
    known = find_principal(request) is not None
    response = render(
        request,
        "web/error.html.jinja",
        error.status,
        explained=explained,
        is_fault=error.status >= 500,
        way_out="/account" if known else "/",
        request_id=current_request().request_id if error.status >= 500 else None,
    )
    for name in ("Retry-After", "Allow"):
        if value := error.headers.get(name):
            response.headers[name] = value
    return response


def _to_login(request: Request) -> Response:
    # What was posted is lost; the page that showed the form is the place to come back to.
    path = request.url.path
    target = f"{path}?{request.url.query}" if request.url.query else path
    back = safe_next(target) if request.method in SAFE_METHODS else safe_next(path)
    return see_other(request, f"{LOGIN}?{urlencode({'next': back})}")
