"""The published keys."""

from fastapi import APIRouter, Depends, Response
from starlette.requests import Request

from portico.http.access import public
from portico.http.dependencies import RuntimeDep
from portico.keys.schemas import KeySet
from portico.keys.services import Keyring
from portico.keys.settings import KeysSettings

router = APIRouter(tags=["keys"], dependencies=[Depends(public)])


@router.get(
    "/.well-known/jwks.json",
    response_model=KeySet,
    response_model_exclude_none=True,
    summary="The keys that verify our tokens",
    responses={304: {"description": "Not changed since the `ETag` in `If-None-Match`"}},
)
async def get_key_set(request: Request, runtime: RuntimeDep) -> Response:
    """Return the JWK Set from memory; it names a new key well before that key signs (RFC 7517, section 5)."""
    document = runtime.get(Keyring).key_set_document()
    max_age = int(runtime.section(KeysSettings).jwks_max_age.total_seconds())
    headers = {"Cache-Control": f"public, max-age={max_age}", "ETag": document.etag}
    if document.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(document.body, media_type="application/json", headers=headers)
