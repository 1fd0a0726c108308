"""Refusals that have no page of their own, as pages: what happened, and one way out.

Programs get a problem document instead (`portico.http.answers` tells which). Nothing of the inside is shown: the
sentences are ours, the number is that of the request in the log.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from portico.core.context import current_request
from portico.http.access import PersonNeeded, find_principal
from portico.http.problems import Problem
from portico.web.redirects import HOME, safe_next
from portico.web.rendering import render, see_other
from portico.web.translations import mark

LOGIN = "/login"


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
BY_CODE = {
    PersonNeeded.code: Explanation(
        mark("Only for the person himself"),
        mark("This is out of reach for whoever acts in somebody else's name."),
        "lock",
    ),
}
"""Refusals about which there is more to say than their status does."""
OTHERWISE = Explanation(
    mark("Something went wrong"), mark("It is our fault, not yours. It was written down; try again later.")
)


class ProblemPages:
    """Fills the port `ErrorPages` of `portico.http`."""

    async def render(self, request: Request, problem: Problem) -> Response:
        """Return the page for a refusal; whoever must sign in first is led there and back again."""
        if problem.status == 401:
            return see_other(request, f"{LOGIN}?{urlencode({'next': _way_back(request)})}")
        is_fault = problem.status >= 500
        return render(
            request,
            "web/error.html.jinja",
            problem.status,
            explained=BY_CODE.get(problem.code) or EXPLANATIONS.get(problem.status, OTHERWISE),
            is_fault=is_fault,
            way_out="/" if find_principal(request) is None else HOME,
            request_id=current_request().request_id if is_fault else None,
        )


def _way_back(request: Request) -> str:
    """Return the page that was asked for; of a form that was posted, which is lost, the one that showed it."""
    query = request.url.query if request.method == "GET" else ""
    return safe_next(f"{request.url.path}?{query}" if query else request.url.path)
