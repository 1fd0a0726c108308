"""The documents by which programs find everything else (RFC 8414; OpenID Connect Discovery 1.0; RFC 9728)."""

from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from portico.http.access import public
from portico.http.documents import standing_document
from portico.http.markers import open_to_clients
from portico.http.routing import declare
from portico.oauth.errors import OAuthRefusal
from portico.oauth.protocol.refusals import ErrorCode
from portico.oauth.routes.answering import refusal_response
from portico.oauth.services.resources import API_PATH
from portico.oauth.services.server_metadata import OwnApiMetadata, ServerMetadata
from portico.runtime import Runtime

CACHE = "public, max-age=300"
PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"


_ANOTHERS = OAuthRefusal(ErrorCode.INVALID_REQUEST, "there is no issuer of this path here", status=404)


class ShowServerMetadata:
    """The ASGI application behind each address of the document, which stands in memory, the same at all of them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the document, 304 to who has it, 404 where another issuer would have his (RFC 8414, 3.1)."""
        path = scope["path_params"].get("path")
        if path is not None and f"/{path}" != _path_of_issuer(scope["app"].state.runtime):
            await refusal_response(_ANOTHERS)(scope, receive, send)
            return
        body, etag = await scope["app"].state.runtime.get(ServerMetadata).document()
        await standing_document(body, etag, CACHE)(scope, receive, send)


def _path_of_issuer(runtime: Runtime) -> str:
    return urlsplit(runtime.settings.public_url).path


async def show_own_api(request: Request) -> Response:
    """Return what our own API says of itself as a protected resource (RFC 9728, section 2)."""
    body = request.app.state.runtime.get(OwnApiMetadata).body
    return Response(body, media_type="application/json", headers={"Cache-Control": CACHE})


router = APIRouter()
router.routes.extend(
    declare(Route(path, show_own_api, methods=["GET"]), public, open_to_clients)
    for path in (PROTECTED_RESOURCE, PROTECTED_RESOURCE + API_PATH)
)
router.routes.extend(
    declare(Route(path, ShowServerMetadata(), methods=["GET"]), public, open_to_clients)
    for path in (
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/{path:path}",
        "/.well-known/openid-configuration/{path:path}",
    )
)
