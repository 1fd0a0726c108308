"""The published keys."""

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from portico.http.access import public
from portico.http.documents import StandingDocument, standing_document
from portico.http.markers import open_to_clients
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
        await key_set_document(scope["app"].state.runtime)(scope, receive, send)


def key_set_document(runtime: Runtime) -> StandingDocument:
    """Return what answers."""
    document = runtime.get(Keyring).key_set_document()
    max_age = int(runtime.section(KeysSettings).jwks_max_age.total_seconds())
    return standing_document(document.body, document.etag, f"public, max-age={max_age}")


router = APIRouter(tags=["keys"], dependencies=[Depends(public), Depends(open_to_clients)])
router.routes.append(declare(Route(PATH, ShowKeySet(), methods=["GET"]), public, open_to_clients))


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
    return Response(
        request.app.state.runtime.get(Keyring).key_set_document().body, media_type="application/json"
    )
