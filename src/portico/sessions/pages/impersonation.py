"""The End button of the banner that stands on every page while somebody acts in another's name."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from portico.http.access import public
from portico.http.dependencies import MaybePrincipalDep, RuntimeDep, service
from portico.http.markers import without_idempotency
from portico.sessions.entering import left, set_page_cookie
from portico.sessions.services import Impersonations
from portico.web.redirects import HOME
from portico.web.rendering import see_other
from portico.web.translations import mark

ImpersonationsDep = Annotated[Impersonations, Depends(service(Impersonations))]

router = APIRouter(
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[Depends(public), Depends(without_idempotency)],
)


@router.post("/impersonation/end")
async def end_impersonation(
    request: Request, runtime: RuntimeDep, principal: MaybePrincipalDep, impersonations: ImpersonationsDep
) -> Response:
    """End the impersonation and lead the actor back into his own session, with a new cookie, or to sign-in.

    Whoever acts in nobody's name is led home: the button was pressed twice.
    """
    if principal is not None and principal.actor_id is None:
        return see_other(request, HOME)
    cookie = await impersonations.leave(principal) if principal is not None else None
    if cookie is None:
        return left(request, runtime, mark("You are signed out."))
    response = see_other(request, HOME, mark("You act in your own name again."))
    set_page_cookie(response, runtime, cookie)
    return response
