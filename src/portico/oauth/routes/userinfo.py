"""The userinfo endpoint (OpenID Connect Core 1.0, section 5.3), and how a token is shown to it (RFC 6750; RFC 9449).

The commonest request of relying parties: a plain route, past dependency injection and serialisation.
"""

import re
from typing import Final

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portico.http.access import public
from portico.http.markers import body_limit, open_to_clients, without_idempotency
from portico.http.openapi import OPENID
from portico.http.routing import declare
from portico.oauth.errors import OAuthRefusal
from portico.oauth.pipeline.parameters import Parameters
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc9449_dpop import ALGORITHMS
from portico.oauth.routes.answering import FORM, MAX_BODY, NO_STORE, client_router, transport_of
from portico.oauth.routes.descriptions import PERSON, answers_json, takes_form
from portico.oauth.services.shown_tokens import ShownToken
from portico.oauth.services.userinfo import UserInfo

PATH = "/oauth/userinfo"
MAX_TOKEN: Final = 8192
UNAUTHORIZED: Final = 401
PROOF_ERRORS: Final = frozenset({ErrorCode.INVALID_DPOP_PROOF, ErrorCode.USE_DPOP_NONCE})
_REALM: Final = 'realm="portico"'
_ALGS: Final = f'algs="{" ".join(sorted(ALGORITHMS))}"'
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*", re.ASCII)
_SCHEMES: Final = frozenset({"bearer", "dpop"})

log = structlog.get_logger("portico.oauth")


class NoToken(Exception):
    """No token was shown at all: nothing is wrong with one (RFC 6750, section 3.1; row 2.1)."""


async def tell_of_person(request: Request) -> Response:
    """Answer what the access token lets its holder know, as JSON, or signed where the client registered that."""
    is_dpop = False
    try:
        shown = await _shown(request)
        is_dpop = shown.is_dpop
        told = await request.app.state.runtime.get(UserInfo).tell(shown)
    except NoToken:
        return _unknown()
    except Refused as refused:
        return _refused(OAuthRefusal.of(refused), is_dpop=is_dpop)
    except OAuthRefusal as refusal:
        return _refused(refusal, is_dpop=is_dpop)
    return Response(told.body, media_type=told.media_type, headers=NO_STORE)


async def _shown(request: Request) -> ShownToken:
    """Return the token of the header, or of a form; never of the query (RFC 6750, section 2; rows 2.3, 2.4).

    Raises:
        NoToken: there is none.
        Refused: invalid_request; two, or one that cannot be read.
    """
    header, in_form = request.headers.get("authorization"), await _token_in_form(request)
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() not in _SCHEMES:
        scheme, token = "bearer", in_form or ""
        if not token:
            raise NoToken
    elif in_form is not None:
        raise Refused(ErrorCode.INVALID_REQUEST, "the token is shown in two ways")
    if len(token) > MAX_TOKEN or _TOKEN.fullmatch(token) is None:
        raise Refused(ErrorCode.INVALID_REQUEST, "the token cannot be read")
    return ShownToken(token=token, is_dpop=scheme.lower() == "dpop", transport=transport_of(request))


async def _token_in_form(request: Request) -> str | None:
    if request.method != "POST":
        return None
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return None
    given = Parameters.read(await request.body())
    if "access_token" in given.repeated:
        raise Refused(ErrorCode.INVALID_REQUEST, "access_token was given more than once")
    return given.one("access_token")


def _unknown() -> Response:
    response = Response(status_code=UNAUTHORIZED, headers=NO_STORE)
    response.headers.append("WWW-Authenticate", f"Bearer {_REALM}")
    response.headers.append("WWW-Authenticate", f"DPoP {_REALM}, {_ALGS}")
    return response


def _refused(refusal: OAuthRefusal, *, is_dpop: bool) -> Response:
    """RFC 6750, section 3; RFC 9449, section 7.1."""
    if refusal.log:
        log.info("oauth_refused", error=refusal.error.value, why=refusal.log)
    said = f'{_REALM}, error="{refusal.error.value}", error_description="{refusal.detail}"'
    if refusal.error is ErrorCode.INSUFFICIENT_SCOPE:
        said += ', scope="openid"'
    of_dpop = is_dpop or refusal.error in PROOF_ERRORS
    challenge = f"DPoP {said}, {_ALGS}" if of_dpop else f"Bearer {said}"
    body = {"error": refusal.error.value, "error_description": refusal.detail}
    headers = {**NO_STORE, **refusal.headers, "WWW-Authenticate": challenge}
    return JSONResponse(body, refusal.answer_status, headers=headers)


hot_router = APIRouter()
hot_router.routes.append(
    declare(
        Route(PATH, tell_of_person, methods=["GET", "POST"]),
        public,
        open_to_clients,
        without_idempotency,
        body_limit(MAX_BODY),
    )
)


router = client_router()
RESPONSES: Final = {
    **answers_json(PERSON, 400, 403, other="application/jwt"),
    UNAUTHORIZED: {"description": "No token, or none that is good: `WWW-Authenticate` says what is wrong."},
}
NEEDS_TOKEN: Final = {"security": [{OPENID: ["openid"]}]}


@router.get(PATH, summary="See the claims of a person", responses=RESPONSES, openapi_extra=NEEDS_TOKEN)
async def show_person(request: Request) -> Response:
    """Answer what the access token in the `Authorization` header lets its holder know.

    Documents the route; `hot_router` stands before it and answers.
    """
    return await tell_of_person(request)


@router.post(
    PATH,
    summary="See the claims of a person, by a form",
    responses=RESPONSES,
    openapi_extra={**takes_form("access_token"), **NEEDS_TOKEN},
)
async def show_person_by_form(request: Request) -> Response:
    """The same; the token may stand in the form (RFC 6750, section 2.2)."""
    return await tell_of_person(request)
