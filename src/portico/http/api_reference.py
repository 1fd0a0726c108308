"""The API reference: `/docs` (Swagger UI), `/redoc` and `/openapi.json`, with nothing from another origin.

Scripts and styles are vendored (`reference/VENDORED.md`), kept compressed, and served under addresses that carry a
hash of their content. Scripts run by nonce. Swagger UI opens with its chapters closed and follows references by a
plug-in of ours (`reference/inline_references.js`): left to itself it is busy for seconds at each click. Redoc makes
its style sheets while it draws and has no way to give them a nonce, so that its page, and no other, allows inline
styles; it shows nothing that a user of the product has written.
Mounted only where `settings.serves_api_reference`.
"""

import gzip
import hashlib
import html
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from portico.http.access import public
from portico.http.content_policy import csp_nonce, page_policy
from portico.http.routing import declare

OPENAPI_PATH: Final = "/openapi.json"
PREFIX: Final = "/_assets/reference/"
FOREVER: Final = "public, max-age=31536000, immutable"
_TYPES: Final = {"js": "text/javascript", "css": "text/css"}
_NAMES: Final = ("swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js")
_INLINE_STYLES: Final = ("'unsafe-inline'",)

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style nonce="{nonce}">body {{ margin: 0; }}</style>
{styles}
</head>
<body>
<main id="reference"></main>
<script nonce="{nonce}" src="{script}"></script>
<script nonce="{nonce}">{start}</script>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class ReferenceFile:
    """One vendored file, as it lies in the package: compressed."""

    path: str
    compressed: bytes
    media_type: str


class ReferenceFiles:
    """The vendored files, read once, when somebody first looks at the reference."""

    @cached_property
    def _by_name(self) -> dict[str, ReferenceFile]:
        return {name: _read(name) for name in _NAMES}

    @cached_property
    def _by_path(self) -> dict[str, ReferenceFile]:
        return {file.path: file for file in self._by_name.values()}

    @cached_property
    def plugin(self) -> str:
        """Return the script that makes `inlineReferences`; it is ours, and goes into the page."""
        return (files("portico.http") / "reference" / "inline_references.js").read_text(encoding="utf-8")

    def path(self, name: str) -> str:
        """Return the address of a file."""
        return self._by_name[name].path

    def find(self, path: str) -> ReferenceFile | None:
        """Return the file at an address, or None."""
        return self._by_path.get(path)


def _read(name: str) -> ReferenceFile:
    compressed = (files("portico.http") / "reference" / f"{name}.gz").read_bytes()
    stem, _, suffix = name.rpartition(".")
    fingerprint = hashlib.sha256(compressed).hexdigest()[:12]
    return ReferenceFile(
        f"{PREFIX}{stem}.{fingerprint}.{suffix}", compressed, f"{_TYPES[suffix]}; charset=utf-8"
    )


class Document:
    """The OpenAPI document as it is sent: written and compressed once."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._written_from: dict[str, Any] | None = None
        self._plain = self._compressed = b""

    def answer(self, request: Request) -> Response:
        """Return the document, packed for whoever can unpack it."""
        self._write(self._app.openapi())
        headers = {"Vary": "Accept-Encoding"}
        if _takes_gzip(request):
            headers["Content-Encoding"] = "gzip"
            return Response(self._compressed, headers=headers, media_type="application/json")
        return Response(self._plain, headers=headers, media_type="application/json")

    def _write(self, document: dict[str, Any]) -> None:
        if document is self._written_from:
            return
        self._plain = bytes(JSONResponse(document).body)
        self._compressed = gzip.compress(self._plain, mtime=0)
        self._written_from = document


def mount_api_reference(app: FastAPI) -> None:
    """Add the pages, the document and their files to `app`."""
    vendored = ReferenceFiles()

    document = Document(app)

    async def serve_document(request: Request) -> Response:
        return document.answer(request)

    async def docs(request: Request) -> Response:
        options = {
            "url": OPENAPI_PATH,
            "dom_id": "#reference",
            "deepLinking": True,
            "persistAuthorization": False,
            "validatorUrl": None,
            "docExpansion": "none",
            "defaultModelsExpandDepth": 0,
            "filter": True,
            "tryItOutEnabled": True,
        }
        start = f"window.ui = SwaggerUIBundle({{...{_script_json(options)}, plugins: [inlineReferences]}});"
        return _page(
            request,
            title=f"{app.title} API",
            script=vendored.path("swagger-ui-bundle.js"),
            style=vendored.path("swagger-ui.css"),
            start=vendored.plugin + start,
        )

    async def redoc(request: Request) -> Response:
        options = {"disableSearch": True, "hideDownloadButton": False, "hideLogo": True}
        target = "document.getElementById('reference')"
        return _page(
            request,
            title=f"{app.title} API",
            script=vendored.path("redoc.standalone.js"),
            start=f"Redoc.init({_script_json(OPENAPI_PATH)}, {_script_json(options)}, {target});",
            inline_styles=_INLINE_STYLES,
        )

    async def vendored_file(request: Request) -> Response:
        return _file(request, vendored.find(request.scope["path"]))

    for path, endpoint in (
        (OPENAPI_PATH, serve_document),
        ("/docs", docs),
        ("/redoc", redoc),
        (PREFIX + "{name}", vendored_file),
    ):
        route = Route(path, endpoint, methods=["GET"], include_in_schema=False)
        app.router.routes.append(declare(route, public))


def _page(
    request: Request,
    *,
    title: str,
    script: str,
    start: str,
    style: str | None = None,
    inline_styles: tuple[str, ...] = (),
) -> HTMLResponse:
    nonce = csp_nonce(request)
    styles = f'<link rel="stylesheet" href="{style}">' if style else ""
    page = _PAGE.format(title=html.escape(title), nonce=nonce, script=script, start=start, styles=styles)
    policy = page_policy(nonce, style=inline_styles)
    return HTMLResponse(page, headers={"Content-Security-Policy": policy})


def _script_json(value: Any) -> str:
    """Return JSON that may stand in a script: no `</script>` can come of it (ASVS 5.0 V1.2.3)."""
    return json.dumps(value).replace("<", "\\u003c")


def _file(request: Request, file: ReferenceFile | None) -> Response:
    if file is None:
        return Response(status_code=404)
    headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
    if _takes_gzip(request):
        return Response(
            file.compressed, headers=headers | {"Content-Encoding": "gzip"}, media_type=file.media_type
        )
    return Response(gzip.decompress(file.compressed), headers=headers, media_type=file.media_type)


def _takes_gzip(request: Request) -> bool:
    return "gzip" in request.headers.get("accept-encoding", "")
