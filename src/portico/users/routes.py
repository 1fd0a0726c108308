"""The API of people: one's own account, others for who may see them, and the proofs of addresses."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Response
from starlette.routing import Route

from portico.access.errors import LastSuperuser
from portico.core.errors import PreconditionFailed
from portico.core.ids import PrincipalId, UserId
from portico.db.errors import EditConflict
from portico.http.access import Authorizer, public, requires
from portico.http.dependencies import PrincipalDep, RuntimeDep
from portico.http.etags import ConditionsDep
from portico.http.markers import limited
from portico.http.policies import Verdict
from portico.http.problems import describes
from portico.http.routing import declare
from portico.tokens.errors import CodeInvalid, TokenExpired, TokenInvalid, TokenUsed
from portico.users.addresses import parse_address
from portico.users.dependencies import EmailAddressesDep, PersonalDataExportDep, UsersDep
from portico.users.errors import (
    EmailMalformed,
    EmailTaken,
    HashingBusy,
    PasswordIncorrect,
    PasswordUnreadable,
    ProfileInvalid,
    ProofIncomplete,
    ReauthenticationRequired,
    TooManyAttempts,
    TooManyCodeTries,
    UsernameMalformed,
    UsernameTaken,
    UserNotFound,
)
from portico.users.permissions import UserPermission
from portico.users.ports import Reauthentication
from portico.users.profiles import ReadOwnProfile
from portico.users.schemas import (
    AcceptedResponse,
    AccountDeletion,
    EmailChange,
    EmailProof,
    EmailProofResponse,
    EmailResend,
    ProfileResponse,
    ProfileUpdate,
)
from portico.users.services import ProfileChanges

OWN_PROFILE = "/users/me"
NOT_HIMSELF = (
    ReauthenticationRequired, PasswordIncorrect, PasswordUnreadable, TooManyAttempts, HashingBusy,
)  # fmt: skip
"""What an act that asks for the password may be refused with."""

hot_router = APIRouter()
hot_router.routes.append(
    declare(Route(OWN_PROFILE, ReadOwnProfile(), methods=["GET"]), requires(UserPermission.SELF_READ))
)

router = APIRouter(prefix="/users", tags=["users"])
email_router = APIRouter(prefix="/auth/email", tags=["auth"])


@router.get(
    "/me", dependencies=[Depends(requires(UserPermission.SELF_READ))], responses=describes(UserNotFound)
)
async def read_own_profile(
    users: UsersDep, principal: PrincipalDep, conditions: ConditionsDep, response: Response
) -> ProfileResponse:
    """Return the caller's own account.

    Documents the route; `ReadOwnProfile` stands before it and answers.
    """
    account = await users.get_user(UserId(principal.id))
    conditions.answer(response, account.version)
    return ProfileResponse.of(account)


@router.patch(
    "/me",
    dependencies=[Depends(requires(UserPermission.SELF_UPDATE))],
    responses=describes(
        UserNotFound, UsernameTaken, EditConflict, PreconditionFailed, UsernameMalformed, ProfileInvalid
    ),
)
async def change_own_profile(
    body: ProfileUpdate,
    users: UsersDep,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    response: Response,
) -> ProfileResponse:
    """Change fields of the caller's own account; with `If-Match` only the version that it names."""
    account = await users.update_profile(
        UserId(principal.id), ProfileChanges.of(body.sent()), require=conditions.require, actor=principal
    )
    conditions.answer(response, account.version)
    return ProfileResponse.of(account)


@router.delete(
    "/me",
    status_code=204,
    dependencies=[Depends(requires(UserPermission.SELF_DELETE)), Depends(limited("sign_in"))],
    responses=describes(UserNotFound, *NOT_HIMSELF, LastSuperuser),
)
async def delete_own_account(
    users: UsersDep,
    principal: PrincipalDep,
    runtime: RuntimeDep,
    body: Annotated[AccountDeletion | None, Body()] = None,
) -> None:
    """Close the caller's own account: sessions end at once, the address is free, the data is erased after a grace."""
    password = body.password.get_secret_value() if body and body.password else None
    await runtime.get(Reauthentication).confirm(principal, password)
    await users.delete_account(UserId(principal.id), actor=principal)


@router.get(
    "/me/export",
    dependencies=[Depends(requires(UserPermission.SELF_EXPORT)), Depends(limited("write"))],
)
async def export_own_data(
    export: PersonalDataExportDep, principal: PrincipalDep, response: Response
) -> dict[str, Any]:
    """Return everything that is held of the caller, a section for each feature."""
    response.headers["Content-Disposition"] = 'attachment; filename="portico-export.json"'
    return await export.export_data(UserId(principal.id), actor=principal)


@router.get(
    "/{user_id}",
    dependencies=[Depends(requires(UserPermission.SELF_READ))],
    responses=describes(UserNotFound),
)
async def read_user(
    user_id: UUID,
    *,
    users: UsersDep,
    principal: PrincipalDep,
    runtime: RuntimeDep,
    conditions: ConditionsDep,
    response: Response,
) -> ProfileResponse:
    """Return a person: oneself, or anybody for who may see people; otherwise there is nobody to be seen."""
    is_self = user_id == principal.id
    if (
        not is_self
        and await runtime.get(Authorizer).decide(principal, UserPermission.READ) is not Verdict.ALLOWED
    ):
        raise UserNotFound
    account = await users.get_user(UserId(PrincipalId(user_id)))
    conditions.answer(response, account.version)
    return ProfileResponse.of(account)


@email_router.post(
    "/verify",
    dependencies=[Depends(public), Depends(limited("sign_in"))],
    responses=describes(
        TokenInvalid,
        CodeInvalid,
        ProofIncomplete,
        TokenUsed,
        TokenExpired,
        EmailTaken,
        EmailMalformed,
        TooManyCodeTries,
    ),
)
async def verify_email(body: EmailProof, addresses: EmailAddressesDep) -> EmailProofResponse:
    """Prove an address, at sign-up or for a change: by the link's `token`, or by `email` and `code`."""
    if body.token is not None and body.email is None and body.code is None:
        return EmailProofResponse.model_validate(await addresses.verify(body.token.get_secret_value()))
    if body.token is None and body.email is not None and body.code is not None:
        address = parse_address(body.email)
        return EmailProofResponse.model_validate(
            await addresses.verify_by_code(address, body.code.get_secret_value())
        )
    raise ProofIncomplete


@email_router.post(
    "/resend",
    status_code=202,
    dependencies=[Depends(public), Depends(limited("sign_in"))],
    responses=describes(EmailMalformed),
)
async def resend_verification(body: EmailResend, addresses: EmailAddressesDep) -> AcceptedResponse:
    """Send the message again if the address waits for its proof; the answer is the same if it does not."""
    await addresses.resend(parse_address(body.email))
    return AcceptedResponse()


@email_router.post(
    "/change",
    status_code=202,
    dependencies=[Depends(requires(UserPermission.SELF_CHANGE_EMAIL)), Depends(limited("sign_in"))],
    responses=describes(UserNotFound, *NOT_HIMSELF, EmailMalformed),
)
async def change_email(
    body: EmailChange, addresses: EmailAddressesDep, principal: PrincipalDep
) -> AcceptedResponse:
    """Send a message to a new address; it is the account's once it is proven there."""
    password = body.password.get_secret_value() if body.password else None
    await addresses.request_change(principal, parse_address(body.email), password)
    return AcceptedResponse()
