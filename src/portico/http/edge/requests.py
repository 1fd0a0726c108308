"""The size and grammar of a request, before anybody believes a word of it.

What the server in front lets through is not trusted to be well-formed: uvicorn with httptools takes headers of any
size (RELIABILITY_BAR P26). Everything here raises; nothing is repaired.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from starlette.types import Scope

from portico.core.errors import Invalid, TooLarge
from portico.http.errors import DuplicateHeader, HeadersTooLarge, MalformedRequest, UriTooLong

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
MAX_HEADERS: Final = 100
MAX_URI_BYTES: Final = 8_192

_SINGLE: Final = frozenset({
    b"host", b"content-length", b"content-type", b"authorization", b"origin", b"idempotency-key", b"x-csrf-token",
    b"sec-fetch-site", b"user-agent", b"referer", b"content-encoding", b"access-control-request-method",
})  # fmt: skip
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")

type RawHeaders = Sequence[tuple[bytes, bytes]]


class Headers(Mapping[str, str]):
    """The headers as text, by lower-case name; decoded only when somebody asks."""

    __slots__ = ("raw",)

    def __init__(self, raw: dict[bytes, bytes]) -> None:
        self.raw = raw

    def __getitem__(self, name: str) -> str:
        return self.raw[name.encode("latin-1")].decode("latin-1")

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """Return a header, or `default`."""
        value = self.raw.get(name.encode("latin-1"))
        return default if value is None else value.decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self.raw)

    def __len__(self) -> int:
        return len(self.raw)


def check_headers(raw: RawHeaders, headers: dict[bytes, bytes], limit_bytes: int) -> dict[bytes, bytes]:
    """Return the headers by name; several lines of one are joined as HTTP says. `headers` is `dict(raw)`.

    Raises:
        HeadersTooLarge: too many, or too large together (431); the connection is closed.
        DuplicateHeader: one that may stand once stands twice (400).
    """
    if len(raw) > MAX_HEADERS:
        raise HeadersTooLarge(headers={"Connection": "close"})
    if len(headers) != len(raw):
        headers = _joined(raw)
    if len(b"".join(headers)) + len(b"".join(headers.values())) > limit_bytes:
        raise HeadersTooLarge(headers={"Connection": "close"})
    return headers


def _joined(raw: RawHeaders) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for name, value in raw:
        if name not in headers:
            headers[name] = value
        elif name in _SINGLE:
            raise DuplicateHeader(f"The header {name.decode('ascii', 'replace')} is given more than once.")
        else:
            headers[name] += (b"; " if name == b"cookie" else b", ") + value
    return headers


def check_target(scope: Scope) -> None:
    """Refuse a path or query that is no text, or far longer than any of ours.

    Raises:
        UriTooLong: more than 8 KiB (414).
        MalformedRequest: control characters, or no path at all (400).
        Invalid: NUL in the query, which no database takes (422).
    """
    path, query = scope["path"], scope["query_string"]
    if len(path) + len(query) > MAX_URI_BYTES:
        raise UriTooLong
    if not path.startswith("/") or not path.isprintable():
        raise MalformedRequest("The path contains characters that no address has.")
    if query and (b"%00" in query or not query.isascii()):
        raise Invalid("The query contains a NUL character or is not ASCII.")


def declared_length(headers: Mapping[bytes, bytes], limit_bytes: int) -> None:
    """Refuse a body by its declared length, unread.

    Raises:
        TooLarge: more than the route takes (413); the connection is closed.
        MalformedRequest: the length is no number (400).
    """
    declared = headers.get(b"content-length")
    if declared is None:
        return
    if not declared.isdigit() or len(declared) > 18:
        raise MalformedRequest("Content-Length is not a number.")
    if int(declared) > limit_bytes:
        raise TooLarge(f"The body may have {limit_bytes} bytes.", headers={"Connection": "close"})


def kept_request_id(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the id that the caller gave the request, if it is one: 1 to 128 of `A-Z a-z 0-9 . _ -`."""
    given = headers.get(b"x-request-id") or headers.get(b"x-correlation-id")
    if given is None or _REQUEST_ID.fullmatch(given) is None:
        return None
    return given.decode("ascii")
