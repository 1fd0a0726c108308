"""Sign-in, refresh, sign-out and the list of devices, as HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Response
from starlette.requests import Request
from starlette.routing import Route

from portico.core.errors import NotFound, Unauthenticated
from portico.core.ids import UserId
from portico.credentials.errors import HashingBusy, InvalidCredentials, PasswordUnreadable, TooManyAttempts
from portico.credentials.settings import CredentialsSettings
from portico.http.access import public, requires
from portico.http.dependencies import MaybePrincipalDep, PrincipalDep, RuntimeDep
from portico.http.markers import limited, reads_json, without_idempotency
from portico.http.problems import describes
from portico.http.routing import declare
from portico.runtime import Runtime
from portico.sessions.cookies import CLEAR_SITE_DATA, DEVICE, PAGE, REFRESH
from portico.sessions.dependencies import SessionsDep, SessionTokensDep, SignInDep
from portico.sessions.errors import (
    AccountDeactivated,
    EmailNotVerified,
    RefreshTokenMissing,
    SessionEnded,
    SessionNotFound,
    TooManySessions,
)
from portico.sessions.permissions import SessionPermission
from portico.sessions.refreshes import RefreshSession, pair_of, set_refresh_cookie
from portico.sessions.schemas import (
    EndedResponse,
    LoginRequest,
    RefreshRequest,
    SessionResponse,
    SessionsResponse,
    SignedInResponse,
    TokenForm,
    TokensResponse,
)
from portico.sessions.services import SignedIn
from portico.sessions.types import SessionEnd, Transport
from portico.tokens.errors import RefreshTokenInvalid, RefreshTokenReplayed
from portico.users.schemas import ProfileResponse

hot_router = APIRouter()
hot_router.routes.append(
    declare(
        Route("/auth/refresh", RefreshSession(), methods=["POST"]), public, without_idempotency, reads_json
    )
)

router = APIRouter(prefix="/auth", tags=["auth"])

SIGN_IN = [Depends(public), Depends(limited("sign_in")), Depends(without_idempotency)]
SIGN_IN_ERRORS = describes(
    PasswordUnreadable,
    InvalidCredentials,
    AccountDeactivated,
    EmailNotVerified,
    TooManySessions,
    TooManyAttempts,
    HashingBusy,
)
REFRESH_ERRORS = describes(RefreshTokenMissing, RefreshTokenInvalid, RefreshTokenReplayed, SessionEnded)


@router.post("/login", dependencies=SIGN_IN, responses=SIGN_IN_ERRORS, summary="Sign in")
async def log_in(
    body: LoginRequest, response: Response, runtime: RuntimeDep, sign_in: SignInDep
) -> SignedInResponse:
    """Sign in by e-mail address or username, and get an access token and a refresh token."""
    transport = Transport(body.transport)
    signed_in = await sign_in.sign_in(body.identifier, body.password, transport)
    remember_device(response, runtime, signed_in)
    tokens = _tokens(signed_in)
    if transport is Transport.COOKIE:
        set_refresh_cookie(response, runtime, signed_in.refresh_token)
    return SignedInResponse(
        access_token=tokens.access_token,
        expires_in=tokens.expires_in,
        refresh_token=tokens.refresh_token if transport is Transport.BODY else None,
        user=ProfileResponse.of(signed_in.account),
    )


async def with_api_reference(runtime: RuntimeDep) -> None:
    """Let the route be there only where the API reference is.

    Raises:
        NotFound: as for any path that there is not (404).
    """
    if not runtime.settings.serves_api_reference:
        raise NotFound


@router.post(
    "/token",
    dependencies=[*SIGN_IN, Depends(with_api_reference)],
    responses=SIGN_IN_ERRORS,
    summary="Sign in, for the Authorize button of the API reference",
)
async def log_in_by_form(
    form: Annotated[TokenForm, Form()], response: Response, runtime: RuntimeDep, sign_in: SignInDep
) -> TokensResponse:
    """Sign in by the form of RFC 6749, section 4.3.2. Only where the API reference is served; not for clients."""
    signed_in = await sign_in.sign_in(form.username, form.password)
    remember_device(response, runtime, signed_in)
    return _tokens(signed_in)


@router.post(
    "/refresh",
    dependencies=[Depends(public), Depends(without_idempotency)],
    responses=REFRESH_ERRORS,
    summary="Exchange the refresh token",
)
async def refresh(
    request: Request,
    response: Response,
    runtime: RuntimeDep,
    tokens: SessionTokensDep,
    body: RefreshRequest | None = None,
) -> TokensResponse:
    """Get a new pair of tokens for a refresh token, from the body or else from the cookie; it is good once.

    Presenting one that was used before ends the session, except within seconds of its use.
    """
    # Documents the route; `RefreshSession` stands before it and answers.
    token, by_cookie = _presented(request, runtime, body)
    if token is None:
        raise RefreshTokenMissing
    refreshed = await tokens.refresh(token)
    if by_cookie:
        set_refresh_cookie(response, runtime, refreshed.refresh_token)
    return pair_of(refreshed, by_cookie=by_cookie)


@router.post(
    "/logout",
    status_code=204,
    dependencies=[Depends(public), Depends(without_idempotency)],
    responses=describes(Unauthenticated, RefreshTokenInvalid),
    summary="Sign out",
)
async def log_out(
    request: Request,
    runtime: RuntimeDep,
    principal: MaybePrincipalDep,
    tokens: SessionTokensDep,
    body: RefreshRequest | None = None,
) -> Response:
    """End the session of the access token or session cookie, and that of the refresh token."""
    token, _ = _presented(request, runtime, body)
    if principal is None and token is None:
        raise Unauthenticated
    await tokens.log_out(principal, token)
    return signed_out(runtime)


@router.post(
    "/logout-all",
    status_code=204,
    dependencies=[Depends(requires(SessionPermission.END_OWN)), Depends(without_idempotency)],
    summary="Sign out everywhere",
)
async def log_out_everywhere(runtime: RuntimeDep, principal: PrincipalDep, sessions: SessionsDep) -> Response:
    """End all sessions, this one too."""
    await sessions.end_sessions_of(UserId(principal.id), SessionEnd.LOGGED_OUT, actor=principal)
    return signed_out(runtime)


@router.get(
    "/sessions",
    dependencies=[Depends(requires(SessionPermission.LIST_OWN))],
    summary="The devices that are signed in",
)
async def list_sessions(principal: PrincipalDep, sessions: SessionsDep) -> SessionsResponse:
    """Return the person's live sessions, the last used first."""
    found = await sessions.list_sessions(UserId(principal.id), current_id=principal.session_id)
    return SessionsResponse(data=[SessionResponse.model_validate(view) for view in found])


@router.delete(
    "/sessions",
    dependencies=[Depends(requires(SessionPermission.END_OWN))],
    summary="Sign out on all other devices",
)
async def end_other_sessions(principal: PrincipalDep, sessions: SessionsDep) -> EndedResponse:
    """End all sessions but the one that asks."""
    ended = await sessions.end_sessions_of(
        UserId(principal.id), SessionEnd.REVOKED, except_id=principal.session_id, actor=principal
    )
    return EndedResponse(ended=len(ended))


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    dependencies=[Depends(requires(SessionPermission.END_OWN))],
    responses=describes(SessionNotFound),
    summary="Sign out on one device",
)
async def end_session(session_id: UUID, principal: PrincipalDep, sessions: SessionsDep) -> None:
    """End one of the person's own sessions; another's is as good as none."""
    await sessions.end_session(UserId(principal.id), session_id, actor=principal)


def remember_device(response: Response, runtime: Runtime, signed_in: SignedIn) -> None:
    """Set the cookie by which the device is known at the next sign-in."""
    max_age = runtime.section(CredentialsSettings).remember_device
    DEVICE.set(response, runtime.settings, signed_in.device_cookie, max_age=max_age)


def signed_out(runtime: Runtime) -> Response:
    """Return the answer to a sign-out: the browser forgets what it kept of the person (ASVS 5.0 V14.3.1)."""
    response = Response(status_code=204, headers={"Clear-Site-Data": CLEAR_SITE_DATA})
    for cookie in (PAGE, REFRESH):
        cookie.delete(response, runtime.settings)
    return response


def _tokens(signed_in: SignedIn) -> TokensResponse:
    if signed_in.access_token is None:
        raise LookupError("a browser session has no tokens")
    return TokensResponse(
        access_token=signed_in.access_token.value,
        expires_in=signed_in.access_token.expires_in,
        refresh_token=signed_in.refresh_token,
    )


def _presented(request: Request, runtime: Runtime, body: RefreshRequest | None) -> tuple[str | None, bool]:
    """Return the refresh token, and whether it came by cookie; the origin was checked by `http.edge.forgery`."""
    if body is not None and body.refresh_token is not None:
        return body.refresh_token, False
    return REFRESH.read(request, runtime.settings), True
