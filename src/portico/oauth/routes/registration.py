"""Dynamic registration of clients, and its management (RFC 7591; RFC 7592)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from portico.oauth.errors import OAuthRefusal
from portico.oauth.protocol.client_id_metadata import is_json_type
from portico.oauth.protocol.json_objects import NotJson, read_json_object
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc7591_registration import as_document
from portico.oauth.routes.answering import NO_STORE, client_router, refusal_response
from portico.oauth.routes.descriptions import (
    answers_json,
    of_client,
    registration_schema,
    takes_metadata,
)
from portico.oauth.services.registering import Registering, Registration
from portico.runtime import Runtime

MAX_METADATA = 65_536
REGISTER = "/oauth/register"

router = client_router(MAX_METADATA)


@router.post(
    REGISTER,
    status_code=201,
    summary="Register a client",
    responses=answers_json(registration_schema(), 400, 401, 403, status=201),
    openapi_extra=takes_metadata(),
)
async def register_client(request: Request) -> Response:
    """Take metadata as JSON, answer what was registered; errors have the shape of RFC 7591, section 3.2.2."""

    async def register(registering: Registering, token: str | None) -> Response:
        made = await registering.register(await _metadata(request), token=token)
        return JSONResponse(_document(request, made), 201, headers=NO_STORE)

    return await _answered(request, register)


@router.get(
    REGISTER + "/{client_id}",
    summary="See a registration",
    responses=answers_json(registration_schema(), 401),
    openapi_extra=of_client(),
)
async def show_registration(request: Request) -> Response:
    """Answer what is registered to whoever has the registration access token."""

    async def show(registering: Registering, token: str | None) -> Response:
        shown = await registering.show(request.path_params["client_id"], token)
        return JSONResponse(_document(request, shown), headers=NO_STORE)

    return await _answered(request, show)


@router.put(
    REGISTER + "/{client_id}",
    summary="Replace a registration",
    responses=answers_json(registration_schema(), 400, 401),
    openapi_extra=takes_metadata(of_registered=True),
)
async def change_registration(request: Request) -> Response:
    """Take all metadata anew; what is left out is gone."""

    async def change(registering: Registering, token: str | None) -> Response:
        client_id = request.path_params["client_id"]
        changed = await registering.change(client_id, await _metadata(request), token)
        return JSONResponse(_document(request, changed), headers=NO_STORE)

    return await _answered(request, change)


@router.delete(
    REGISTER + "/{client_id}",
    status_code=204,
    summary="Delete a registration",
    responses=answers_json(None, 401, status=204),
    openapi_extra=of_client(),
)
async def delete_registration(request: Request) -> Response:
    """Delete the client; all that was granted to it ends."""

    async def remove(registering: Registering, token: str | None) -> Response:
        await registering.remove(request.path_params["client_id"], token)
        return Response(status_code=204, headers=NO_STORE)

    return await _answered(request, remove)


type Act = Callable[[Registering, str | None], Awaitable[Response]]


async def _answered(request: Request, act: Act) -> Response:
    runtime: Runtime = request.app.state.runtime
    try:
        return await act(Registering(runtime, runtime.unit()), _bearer(request))
    except (Refused, OAuthRefusal) as refused:
        return refusal_response(refused)


def _bearer(request: Request) -> str | None:
    """Return the token of the `Authorization` header, in whatever case its scheme is written (RFC 9110, 11.1)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


async def _metadata(request: Request) -> Mapping[str, Any]:
    if not is_json_type(request.headers.get("content-type", "")):
        raise Refused(ErrorCode.INVALID_CLIENT_METADATA, "send the metadata as application/json")
    try:
        return read_json_object(await request.body(), most=MAX_METADATA, deepest=12)
    except NotJson as fault:
        raise Refused(ErrorCode.INVALID_CLIENT_METADATA, f"the metadata {fault}") from None


def _document(request: Request, registration: Registration) -> dict[str, Any]:
    """Return the client information response (RFC 7591, section 3.2.1; RFC 7592, section 3)."""
    runtime: Runtime = request.app.state.runtime
    document: dict[str, Any] = {
        "client_id": registration.client_id,
        "client_id_issued_at": int(registration.issued_at.timestamp()),
        **as_document(registration.metadata),
        "registration_access_token": registration.registration_token,
        "registration_client_uri": f"{runtime.settings.public_url}{REGISTER}/{registration.client_id}",
    }
    if registration.secret is not None:
        end = registration.secret.expires_at
        document["client_secret"] = registration.secret.text
        document["client_secret_expires_at"] = 0 if end is None else int(end.timestamp())
    return document
