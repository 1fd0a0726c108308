"""The API of sign-up and passwords. Signing in is one floor up, in `portico.sessions`."""

from fastapi import APIRouter, Depends, Response

from portico.credentials.dependencies import (
    PasswordChangeDep,
    PasswordRecoveryDep,
    RegistrationDep,
    SetupDep,
    UsersDep,
)
from portico.credentials.errors import (
    HashingBusy,
    InvitationInvalid,
    InvitationRequired,
    PasswordIncorrect,
    PasswordRejected,
    PasswordUnreadable,
    RegistrationClosed,
    SetupFinished,
    TooManyAttempts,
)
from portico.credentials.permissions import CredentialPermission
from portico.credentials.schemas import (
    PasswordChangeRequest,
    PasswordForgotRequest,
    PasswordResetRequest,
    RegistrationRequest,
    SetupRequest,
)
from portico.credentials.wishes import wish_of
from portico.http.access import public, requires
from portico.http.dependencies import PrincipalDep
from portico.http.etags import etag_of
from portico.http.markers import limited, without_idempotency
from portico.http.problems import describes
from portico.tokens.errors import CodeInvalid, TokenExpired, TokenInvalid, TokenUsed
from portico.users.addresses import parse_address
from portico.users.errors import (
    EmailMalformed,
    EmailTaken,
    ProfileInvalid,
    ProofIncomplete,
    TooManyCodeTries,
    UsernameMalformed,
    UsernameTaken,
)
from portico.users.schemas import AcceptedResponse, ProfileResponse

router = APIRouter(prefix="/auth", tags=["auth"], dependencies=[Depends(limited("sign_in"))])

NEW_PASSWORD = (PasswordRejected, PasswordUnreadable, HashingBusy)
NEW_PERSON = (EmailTaken, UsernameTaken, EmailMalformed, UsernameMalformed, ProfileInvalid)


@router.post(
    "/register",
    status_code=201,
    dependencies=[Depends(public)],
    responses={
        202: {
            "model": AcceptedResponse,
            "description": "Where addresses must be proven: the answer to all, also where the address is taken.",
        },
        **describes(*NEW_PERSON, *NEW_PASSWORD, InvitationInvalid, RegistrationClosed, InvitationRequired),
    },
)
async def register(
    body: RegistrationRequest, registration: RegistrationDep, users: UsersDep, response: Response
) -> ProfileResponse | AcceptedResponse:
    """Sign up. A mail with a link and a code goes to the address."""
    account = await registration.register(wish_of(body, users))
    if account is None:
        response.status_code = 202
        return AcceptedResponse()
    response.headers["ETag"] = etag_of(account.version)
    return ProfileResponse.of(account)


@router.post(
    "/setup",
    status_code=201,
    dependencies=[Depends(public), Depends(without_idempotency)],
    responses=describes(*NEW_PERSON, *NEW_PASSWORD, TokenInvalid, TokenUsed, TokenExpired, SetupFinished),
)
async def set_up(body: SetupRequest, setup: SetupDep, users: UsersDep) -> ProfileResponse:
    """Make the first administrator, by the link that the server printed."""
    wish = wish_of(body, users)
    return ProfileResponse.of(await setup.create_first_administrator(body.token.get_secret_value(), wish))


@router.post(
    "/password/change",
    status_code=204,
    dependencies=[Depends(requires(CredentialPermission.SELF_CHANGE_PASSWORD))],
    responses=describes(*NEW_PASSWORD, PasswordIncorrect, TooManyAttempts),
)
async def change_password(
    body: PasswordChangeRequest, change: PasswordChangeDep, principal: PrincipalDep
) -> None:
    """Change the password; all other sessions end, and the person is told by mail."""
    await change.change_password(
        principal, body.current_password.get_secret_value(), body.new_password.get_secret_value()
    )


@router.post(
    "/password/forgot",
    status_code=202,
    dependencies=[Depends(public)],
    responses=describes(EmailMalformed),
)
async def forgot_password(body: PasswordForgotRequest, recovery: PasswordRecoveryDep) -> AcceptedResponse:
    """Send a link and a code to choose a new password; the answer is the same where nobody has the address."""
    await recovery.request_reset(parse_address(body.email))
    return AcceptedResponse()


@router.post(
    "/password/reset",
    status_code=204,
    dependencies=[Depends(public), Depends(without_idempotency)],
    responses=describes(
        *NEW_PASSWORD,
        TokenInvalid,
        CodeInvalid,
        ProofIncomplete,
        TokenUsed,
        TokenExpired,
        EmailMalformed,
        TooManyCodeTries,
    ),
)
async def reset_password(body: PasswordResetRequest, recovery: PasswordRecoveryDep) -> None:
    """Choose a new password by the link's `token`, or by `email` and `code`. All sessions end; nobody is signed in."""
    new = body.new_password.get_secret_value()
    if body.token is not None and body.email is None and body.code is None:
        await recovery.reset_password(body.token.get_secret_value(), new)
    elif body.token is None and body.email is not None and body.code is not None:
        address, code = parse_address(body.email), body.code.get_secret_value()
        await recovery.reset_password_by_code(address, code, new)
    else:
        raise ProofIncomplete
