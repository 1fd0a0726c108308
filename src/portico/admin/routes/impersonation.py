"""Acting in a person's name, for support."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from portico.access.errors import RightsNotHeld
from portico.access.policies import signed_in_within
from portico.admin.dependencies import ImpersonationsDep
from portico.core.ids import PrincipalId, UserId
from portico.http.access import PersonNeeded, SignInTooOld, requires
from portico.http.dependencies import PrincipalDep, RuntimeDep
from portico.http.markers import without_idempotency
from portico.http.problems import describes
from portico.runtime import Runtime
from portico.sessions.entering import set_page_cookie
from portico.sessions.errors import OwnAccount, PersonInactive, ReasonInvalid
from portico.sessions.permissions import SessionPermission
from portico.sessions.schemas import ImpersonationRequest, ImpersonationResponse
from portico.sessions.services import StartedImpersonation
from portico.sessions.settings import SessionsSettings
from portico.sessions.types import Transport
from portico.users.errors import UserNotFound

FRESH: Final = signed_in_within(timedelta(minutes=10))

router = APIRouter(prefix="/users")


@router.post(
    "/{user_id}/impersonate",
    status_code=201,
    dependencies=[
        Depends(requires(SessionPermission.IMPERSONATE, when=FRESH)),
        Depends(without_idempotency),
    ],
    responses=describes(
        UserNotFound, OwnAccount, PersonInactive, RightsNotHeld, PersonNeeded, SignInTooOld, ReasonInvalid
    ),
    summary="Act in a person's name",
)
async def impersonate(
    *,
    user_id: UUID,
    body: ImpersonationRequest,
    response: Response,
    runtime: RuntimeDep,
    principal: PrincipalDep,
    impersonations: ImpersonationsDep,
) -> ImpersonationResponse:
    """Open a session in the person's name for half an hour at most; the person is told, and credentials stay out."""
    started = await impersonations.start(
        UserId(PrincipalId(user_id)),
        actor=principal,
        reason=body.reason,
        transport=Transport(body.transport),
    )
    _enter(response, runtime, started)
    session, token = started.opened.session, started.access_token
    return ImpersonationResponse(
        session_id=session.id,
        expires_at=session.absolute_expires_at,
        access_token=token.value if token else None,
        expires_in=token.expires_in if token else None,
        refresh_token=started.opened.refresh_token,
    )


def _enter(response: Response, runtime: Runtime, started: StartedImpersonation) -> None:
    """Give the browser the session where it is one of pages; the actor's own lives on without a cookie."""
    response.headers["Cache-Control"] = "no-store"
    if started.opened.cookie is not None:
        longest = runtime.section(SessionsSettings).impersonation_ttl
        set_page_cookie(response, runtime, started.opened.cookie, max_age=longest)
