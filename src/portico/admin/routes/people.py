"""People, as administrators see and rule them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from portico.access.errors import LastSuperuser, RightsNotHeld
from portico.access.permissions import PlatformPermission
from portico.admin.dependencies import PeopleDep, SessionsDep
from portico.admin.permissions import AdminPermission
from portico.admin.schemas import (
    CreatePersonRequest,
    PersonListQuery,
    PersonResponse,
    RolesRequest,
    RolesResponse,
)
from portico.admin.services import WantedPerson
from portico.core.errors import PreconditionFailed
from portico.core.ids import PrincipalId, UserId
from portico.credentials.permissions import CredentialPermission
from portico.http.access import requires
from portico.http.dependencies import PrincipalDep
from portico.http.errors import CursorInvalid
from portico.http.etags import ConditionsDep
from portico.http.pagination import Page
from portico.http.problems import describes
from portico.sessions.errors import SessionNotFound
from portico.sessions.schemas import EndedResponse, SessionResponse, SessionsResponse
from portico.sessions.types import SessionEnd
from portico.users.errors import (
    EmailMalformed,
    EmailTaken,
    ProfileInvalid,
    UsernameMalformed,
    UsernameTaken,
    UserNotFound,
)
from portico.users.permissions import UserPermission
from portico.users.schemas import ProfileUpdate
from portico.users.services import ProfileChanges

router = APIRouter(prefix="/users")


@router.get(
    "",
    dependencies=[Depends(requires(AdminPermission.USER_LIST))],
    responses=describes(CursorInvalid),
    summary="List and search people",
)
async def list_people(query: Annotated[PersonListQuery, Query()], people: PeopleDep) -> Page[PersonResponse]:
    """Return one page of living people, the newest first. By cursor it is as fast at any depth."""
    page = await people.list_people(query)
    return Page[PersonResponse](
        data=[PersonResponse.model_validate(person) for person in page.data], pagination=page.pagination
    )


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(requires(UserPermission.CREATE))],
    responses=describes(EmailTaken, UsernameTaken, EmailMalformed, UsernameMalformed, ProfileInvalid),
    summary="Add a person",
)
async def add_person(
    body: CreatePersonRequest, response: Response, principal: PrincipalDep, people: PeopleDep
) -> PersonResponse:
    """Make an account. Its owner gets a mail with a link to choose a password."""
    wanted = WantedPerson(
        email=body.email,
        username=body.username,
        full_name=body.full_name,
        locale=body.locale,
    )
    person = await people.add_person(wanted, actor=principal)
    response.headers["Location"] = f"/api/v1/admin/users/{person.id}"
    return PersonResponse.model_validate(person)


@router.get(
    "/{user_id}",
    dependencies=[Depends(requires(UserPermission.READ))],
    responses=describes(UserNotFound),
    summary="See a person",
)
async def get_person(
    user_id: UUID, response: Response, conditions: ConditionsDep, people: PeopleDep
) -> PersonResponse:
    """Return a living person."""
    person = await people.get_person(_id(user_id))
    conditions.answer(response, person.version)
    return PersonResponse.model_validate(person)


@router.patch(
    "/{user_id}",
    dependencies=[Depends(requires(UserPermission.UPDATE))],
    responses=describes(
        UserNotFound, RightsNotHeld, UsernameTaken, PreconditionFailed, UsernameMalformed, ProfileInvalid
    ),
    summary="Change a person's profile",
)
async def change_person(
    *,
    user_id: UUID,
    body: ProfileUpdate,
    response: Response,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    people: PeopleDep,
) -> PersonResponse:
    """Change what is sent. Password, address and roles have ways of their own."""
    person = await people.change_person(
        _id(user_id),
        ProfileChanges.of(body.sent()),
        check_version=conditions.require,
        actor=principal,
    )
    conditions.answer(response, person.version)
    return PersonResponse.model_validate(person)


@router.delete(
    "/{user_id}",
    status_code=204,
    dependencies=[Depends(requires(UserPermission.DELETE))],
    responses=describes(UserNotFound, RightsNotHeld, LastSuperuser, PreconditionFailed),
    summary="Delete a person",
)
async def delete_person(
    user_id: UUID, principal: PrincipalDep, conditions: ConditionsDep, people: PeopleDep
) -> None:
    """Close the account; it can be restored until its data is erased."""
    await people.delete_person(_id(user_id), check_version=conditions.require, actor=principal)


@router.post(
    "/{user_id}/restore",
    dependencies=[Depends(requires(AdminPermission.USER_RESTORE))],
    responses=describes(UserNotFound, EmailTaken, UsernameTaken),
    summary="Restore a deleted person",
)
async def restore_person(user_id: UUID, principal: PrincipalDep, people: PeopleDep) -> PersonResponse:
    """Open a deleted account again, without its roles."""
    return PersonResponse.model_validate(await people.restore_person(_id(user_id), actor=principal))


@router.post(
    "/{user_id}/activate",
    dependencies=[Depends(requires(UserPermission.DEACTIVATE))],
    responses=describes(UserNotFound, RightsNotHeld),
    summary="Switch an account on",
)
async def activate_person(user_id: UUID, principal: PrincipalDep, people: PeopleDep) -> PersonResponse:
    """Let the person sign in again."""
    return PersonResponse.model_validate(await people.activate(_id(user_id), actor=principal))


@router.post(
    "/{user_id}/deactivate",
    dependencies=[Depends(requires(UserPermission.DEACTIVATE))],
    responses=describes(UserNotFound, RightsNotHeld, LastSuperuser),
    summary="Switch an account off",
)
async def deactivate_person(user_id: UUID, principal: PrincipalDep, people: PeopleDep) -> PersonResponse:
    """Keep the person out; every session and token is dead on every node when this is answered."""
    return PersonResponse.model_validate(await people.deactivate(_id(user_id), actor=principal))


@router.post(
    "/{user_id}/unlock",
    status_code=204,
    dependencies=[Depends(requires(CredentialPermission.UNLOCK))],
    responses=describes(UserNotFound),
    summary="Forget wrong guesses",
)
async def unlock_person(user_id: UUID, principal: PrincipalDep, people: PeopleDep) -> None:
    """Let the person try again at once, after too many wrong passwords."""
    await people.unlock(_id(user_id), actor=principal)


@router.get(
    "/{user_id}/sessions",
    dependencies=[Depends(requires(AdminPermission.SESSION_LIST))],
    responses=describes(UserNotFound),
    summary="A person's devices",
)
async def list_sessions(
    user_id: UUID, principal: PrincipalDep, people: PeopleDep, sessions: SessionsDep
) -> SessionsResponse:
    """Return the live sessions of a person."""
    person = await people.get_person(_id(user_id))
    found = await sessions.list_sessions(_id(person.id), current_id=principal.session_id)
    return SessionsResponse(data=[SessionResponse.model_validate(view) for view in found])


@router.delete(
    "/{user_id}/sessions",
    dependencies=[Depends(requires(AdminPermission.SESSION_END))],
    responses=describes(UserNotFound),
    summary="Sign a person out everywhere",
)
async def end_sessions(
    user_id: UUID, principal: PrincipalDep, people: PeopleDep, sessions: SessionsDep
) -> EndedResponse:
    """End all sessions of a person."""
    person = await people.get_person(_id(user_id))
    ended = await sessions.end_sessions_of(_id(person.id), SessionEnd.REVOKED, actor=principal)
    return EndedResponse(ended=len(ended))


@router.delete(
    "/{user_id}/sessions/{session_id}",
    status_code=204,
    dependencies=[Depends(requires(AdminPermission.SESSION_END))],
    responses=describes(SessionNotFound),
    summary="End one session of a person",
)
async def end_session(
    user_id: UUID, session_id: UUID, principal: PrincipalDep, sessions: SessionsDep
) -> None:
    """End one session, if it is this person's."""
    await sessions.end_session(_id(user_id), session_id, actor=principal)


@router.get(
    "/{user_id}/roles",
    dependencies=[Depends(requires(PlatformPermission.ROLE_READ))],
    responses=describes(UserNotFound),
    summary="A person's platform roles",
)
async def get_roles(user_id: UUID, people: PeopleDep) -> RolesResponse:
    """Return the platform roles that a person holds."""
    return RolesResponse(roles=list((await people.get_person(_id(user_id))).roles))


@router.put(
    "/{user_id}/roles",
    dependencies=[Depends(requires(PlatformPermission.ROLE_ASSIGN))],
    responses=describes(UserNotFound, RightsNotHeld, LastSuperuser),
    summary="Set a person's platform roles",
)
async def set_roles(
    user_id: UUID, body: RolesRequest, principal: PrincipalDep, people: PeopleDep
) -> RolesResponse:
    """Have the person hold these roles and no others; only roles that the caller holds himself can change."""
    roles = await people.set_roles(_id(user_id), body.roles, actor=principal)
    return RolesResponse(roles=roles)


def _id(user_id: UUID) -> UserId:
    return UserId(PrincipalId(user_id))
