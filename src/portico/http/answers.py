"""What is answered when something is refused or fails: a problem document, or a page for a person in a browser.

Asked by the exception handlers inside of the application and by the edge around it; a failure is logged here, once.
"""

from typing import Final, Protocol
from urllib.parse import quote

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from portico.core.context import current_request
from portico.core.errors import PorticoError, Unauthenticated
from portico.http.etags import NotModified
from portico.http.paths import wants_page
from portico.http.problems import Problem, problem_of, problem_response
from portico.http.refusals import RefusalLog, note_error
from portico.runtime import Runtime

SIGN_IN_PATH: Final = "/login"
MAX_NEXT: Final = 2_000
_BODYLESS: Final = frozenset({204, 304})

log = structlog.get_logger("portico.http")


class ErrorPages(Protocol):
    """Shows a refusal to a person; a port that `portico.web` fills."""

    async def render(self, request: Request, problem: Problem) -> Response:
        """Return the page, with the problem's status."""
        ...


class Answers:
    """Makes the answer to an error."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def to_error(self, request: Request, error: Exception) -> Response:
        """Return what is answered to `error`; the signature is that of an exception handler."""
        if isinstance(error, NotModified):
            return Response(status_code=304, headers={"ETag": error.tag})
        if isinstance(error, HTTPException) and error.status_code in _BODYLESS:
            return Response(status_code=error.status_code, headers=error.headers)
        note_error(self._runtime.find(RefusalLog), error, request.scope)
        problem = problem_of(error)
        if problem.status >= 500:
            _log(error)
        if not wants_page(request.scope["path"], request.headers):
            return problem_response(problem, current_request().request_id)
        if isinstance(error, Unauthenticated) and request.method in {"GET", "HEAD"}:
            return RedirectResponse(sign_in_address(request), status_code=303)
        return await self._page(request, problem)

    async def _page(self, request: Request, problem: Problem) -> Response:
        pages = self._runtime.find(ErrorPages)
        if pages is None:
            return problem_response(problem, current_request().request_id)
        try:
            page = await pages.render(request, problem)
        except Exception:
            log.exception("error_page_failed", status=problem.status)
            return problem_response(problem, current_request().request_id)
        page.headers.update(problem.headers)
        return page


def sign_in_address(request: Request) -> str:
    """Return the address of the sign-in page that leads back here: only to a path of ours, never to `//` a host."""
    path = quote(request.scope["path"], safe="/-._~")
    query = request.scope["query_string"].decode("ascii", "ignore")
    here = f"{path}?{query}" if query else path
    if not here.startswith("/") or here.startswith(("//", "/%5C", "/\\")) or len(here) > MAX_NEXT:
        return SIGN_IN_PATH
    return f"{SIGN_IN_PATH}?next={quote(here, safe='/')}"


def _log(error: Exception) -> None:
    """Tell the log what the caller is not told: busy parts in one line, failures with their stack."""
    if isinstance(error, PorticoError) and error.status == 503:
        log.warning(
            "unavailable", error_code=error.code, cause=repr(error.__cause__) if error.__cause__ else None
        )
    elif not isinstance(error, HTTPException):
        log.error("request_failed", exc_info=error)
