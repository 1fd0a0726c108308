"""The documents by which programs find everything else (RFC 8414; OpenID Connect Discovery 1.0; RFC 9728)."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from portico.http.access import public
from portico.http.markers import open_to_clients
from portico.http.routing import declare
from portico.oauth.services.resources import API_PATH
from portico.oauth.services.server_metadata import OwnApiMetadata, ServerMetadata

CACHE = "public, max-age=300"
PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"


class ShowServerMetadata:
    """The ASGI application behind each address of the document, which stands in memory, the same at all of them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the document, or 304 to who has it."""
        body, etag = await scope["app"].state.runtime.get(ServerMetadata).document()
        headers = {"Cache-Control": CACHE, "ETag": etag}
        if etag.encode() in dict(scope["headers"]).get(b"if-none-match", b""):
            response = Response(status_code=304, headers=headers)
        else:
            response = Response(body, media_type="application/json", headers=headers)
        await response(scope, receive, send)


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
