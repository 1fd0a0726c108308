"""The routes at which a resource describes itself (RFC 9728, section 3.1), open to pages of every origin."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from portico.http.access import public
from portico.http.markers import open_to_clients
from portico.oauth.protocol.rfc9728_protected_resources import (
    DOCUMENT,
    ResourceDescription,
    document_path,
    resource_metadata,
)
from portico.resource_server.challenges import PROOF_ALGORITHMS
from portico.resource_server.declarations import Declaration

MAX_AGE_SECONDS: Final = 300
ANY_ORIGIN: Final = {"Access-Control-Allow-Origin": "*"}
PREFLIGHT: Final = {
    **ANY_ORIGIN,
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "MCP-Protocol-Version",
    "Access-Control-Max-Age": "600",
}


def metadata_router(declaration: Declaration, issuer_of: Callable[[Request], str]) -> APIRouter:
    """Return the router; in a Portico it stands among the `root_routes` of a feature."""
    router = APIRouter(dependencies=[Depends(public), Depends(open_to_clients)], include_in_schema=False)

    async def describe(request: Request) -> Response:
        document = _document(declaration, issuer_of(request))
        # The edge of a Portico says this itself, of every route that is open to clients.
        headers = {"Cache-Control": f"public, max-age={MAX_AGE_SECONDS}"}
        return JSONResponse(document, headers=headers if _has_edge(request) else {**headers, **ANY_ORIGIN})

    async def answer_preflight() -> Response:
        return Response(status_code=204, headers=PREFLIGHT)

    for path in _paths(declaration):
        router.add_api_route(path, describe, methods=["GET"], response_class=JSONResponse)
        router.add_api_route(path, answer_preflight, methods=["OPTIONS"])
    return router


def _paths(declaration: Declaration) -> list[str]:
    own = document_path(declaration.identifier)
    return [own, DOCUMENT] if declaration.also_at_root and own != DOCUMENT else [own]


def _document(declaration: Declaration, issuer: str) -> dict[str, Any]:
    return resource_metadata(
        ResourceDescription(
            resource=declaration.identifier,
            authorization_servers=(issuer,),
            scopes=tuple(declaration.scopes),
            name=declaration.name,
            dpop_algorithms=PROOF_ALGORITHMS,
            requires_dpop=declaration.requires_dpop,
            binds_to_certificates=declaration.certificate_header is not None,
        )
    )


def _has_edge(request: Request) -> bool:
    return hasattr(request.app.state, "http_floor")
