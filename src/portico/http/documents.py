"""Documents that stand in memory and that programs fetch all day: keys, metadata."""

from functools import lru_cache

from starlette.types import Receive, Scope, Send

type RawHeaders = tuple[tuple[bytes, bytes], ...]


class StandingDocument:
    """The ASGI application that answers with a document; all but the choice between 200 and 304 is made once."""

    __slots__ = ("_body", "_etag", "_of_whole", "_shared")

    def __init__(self, body: bytes, etag: str, cache_control: str) -> None:
        self._body = body
        self._etag = etag.encode("ascii")
        self._shared: RawHeaders = (
            (b"cache-control", cache_control.encode("ascii")),
            (b"etag", self._etag),
        )
        self._of_whole: RawHeaders = (
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
            *self._shared,
        )

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """Send the document; to who has it already, only that it is the same (RFC 9110, section 13.1.2)."""
        is_known = any(name == b"if-none-match" and self._etag in value for name, value in scope["headers"])
        status, headers, body = (304, self._shared, b"") if is_known else (200, self._of_whole, self._body)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@lru_cache(maxsize=32)
def standing_document(body: bytes, etag: str, cache_control: str) -> StandingDocument:
    """Return the application of a document, the same for the same bytes."""
    return StandingDocument(body, etag, cache_control)
