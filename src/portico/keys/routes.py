"""The published keys."""

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from portico.http.access import public
from portico.http.routing import declare
from portico.keys.schemas import KeySet
from portico.keys.services import Keyring
from portico.keys.settings import KeysSettings
from portico.runtime import Runtime

PATH = "/.well-known/jwks.json"


class ShowKeySet:
    """The ASGI application behind the route: the bytes stand in memory, and every verifier fetches them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the JWK Set, or 304."""
        response = key_set_response(scope["app"].state.runtime, scope)
        await response(scope, receive, send)


def key_set_response(runtime: Runtime, scope: Scope) -> Response:
    """Return the answer; without a body for who has the document already."""
    document = runtime.get(Keyring).key_set_document()
    max_age = int(runtime.section(KeysSettings).jwks_max_age.total_seconds())
    headers = {"Cache-Control": f"public, max-age={max_age}", "ETag": document.etag}
    if document.etag.encode() in dict(scope["headers"]).get(b"if-none-match", b""):
        return Response(status_code=304, headers=headers)
    return Response(document.body, media_type="application/json", headers=headers)


router = APIRouter(tags=["keys"], dependencies=[Depends(public)])
router.routes.append(declare(Route(PATH, ShowKeySet(), methods=["GET"]), public))


@router.get(
    PATH,
    response_model=KeySet,
    response_model_exclude_none=True,
    summary="The keys that verify our tokens",
    responses={304: {"description": "Not changed since the `ETag` in `If-None-Match`"}},
)
async def get_key_set(request: Request) -> Response:
    """Return the JWK Set from memory; it names a new key well before that key signs (RFC 7517, section 5).

    Documents the route; `ShowKeySet` stands before it and answers.
    """
    return key_set_response(request.app.state.runtime, request.scope)
