"""The documents by which programs find everything else (RFC 8414; OpenID Connect Discovery 1.0; RFC 9728)."""

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from portico.core.settings import Settings
from portico.http.access import public
from portico.http.markers import open_to_clients
from portico.http.routing import declare
from portico.oauth.protocol.rfc8414_metadata import document_paths
from portico.oauth.services.server_metadata import ServerMetadata

CACHE = "public, max-age=300"


async def show_server_metadata(request: Request) -> Response:
    """Return the document from memory, the same at every address."""
    body, etag = await request.app.state.runtime.get(ServerMetadata).document()
    headers = {"Cache-Control": CACHE, "ETag": etag}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def metadata_paths(settings: Settings) -> Sequence[str]:
    """Return the addresses that clients derive from the issuer, without the path that a proxy cuts off."""
    return document_paths(settings.public_url)


router = APIRouter()
router.routes.extend(
    declare(Route(path, show_server_metadata, methods=["GET"]), public, open_to_clients)
    for path in (
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/{path:path}",
        "/.well-known/openid-configuration/{path:path}",
    )
)
