"""Request bodies: read once, bounded, checked before anybody makes something of them.

JSON that two parsers would read in two ways is no JSON here: a name given twice, NaN, an infinity, another encoding
than UTF-8, a byte order mark (ASVS 5.0 V1.5.3). A body of another kind than the route reads is refused, which also
keeps forms of foreign pages away from JSON routes (V3.5.2).
"""

import json
import math
from typing import Any, Never

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from portico.core.errors import Invalid, TooLarge
from portico.http.errors import MalformedJson, UnsupportedMediaType

MAX_MEMBERS = 1_000
FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_NULS = (b"\x00", b"%00")


class BodyTooLarge(HTTPException):
    """The body grew beyond the limit while it was read; an HTTPException, because FastAPI lets only those pass."""

    def __init__(self) -> None:
        super().__init__(TooLarge.status, headers={"Connection": "close"})


class BoundedReceive:
    """Counts the bytes of a body and stops it at the limit, whatever `Content-Length` said."""

    __slots__ = ("_left", "_receive")

    def __init__(self, receive: Receive, limit_bytes: int) -> None:
        self._receive = receive
        self._left = limit_bytes

    async def __call__(self) -> Message:
        """Return the next message.

        Raises:
            BodyTooLarge: the limit is passed (413).
        """
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise BodyTooLarge
        return message


class Replayed:
    """Hands out a body that was read already, then what the client does next."""

    __slots__ = ("_body", "_receive")

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        """Return the body, once; then wait for what follows."""
        body, self._body = self._body, None
        if body is None:
            return await self._receive()
        return {"type": "http.request", "body": body, "more_body": False}


async def read_body(receive: Receive) -> bytes | None:
    """Return the whole body, or None if the client went away."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def check_json_body(content_type: str | None, body: bytes) -> None:
    """Refuse a body that is not plain JSON in UTF-8.

    Raises:
        UnsupportedMediaType: declared as something else (415).
        MalformedJson: not JSON, or ambiguous (400).
    """
    media_type, _, parameters = (content_type or "").partition(";")
    kind = media_type.strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMediaType("Send the body as application/json.")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if charset not in {"", "utf-8", "utf8"} and "charset=" in parameters.lower():
        raise UnsupportedMediaType("Send the body in UTF-8.")
    check_json(body)


def check_json(body: bytes) -> None:
    """Refuse JSON that is malformed, too deep, or that two parsers would read in two ways.

    Raises:
        MalformedJson: with what is wrong, never with what was sent (400).
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedJson("The body is not UTF-8.") from None
    try:
        json.loads(text, object_pairs_hook=_each_once, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise MalformedJson(f"The body is not valid JSON, from character {error.pos} on.") from None
    except RecursionError:
        raise MalformedJson("The body is nested too deeply.") from None
    except ValueError as error:
        raise MalformedJson(str(error)[:100]) from None


def _each_once(pairs: list[tuple[str, Any]]) -> None:
    """Check one object; it is dropped, since the route parses the body itself."""
    if len(pairs) > MAX_MEMBERS:
        raise ValueError("An object has too many members.")
    if len(pairs) > 1 and len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("An object names a member twice.")


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON.")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("A number is too large.")
    return value


def check_form_body(content_type: str | None, body: bytes) -> None:
    """Refuse a body that is no form, or that carries a NUL in an encoded field.

    Raises:
        UnsupportedMediaType: declared as something else (415).
        Invalid: NUL in a field (422).
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind not in FORM_TYPES:
        raise UnsupportedMediaType("Send the body as a form.")
    if kind != "multipart/form-data" and any(nul in body for nul in _NULS):
        raise Invalid("A field contains a NUL character.")
