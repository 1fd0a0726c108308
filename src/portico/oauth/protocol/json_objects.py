"""Reads JSON that a client sends inside a parameter, or that was fetched from it: bounded, and one way only.

A member that stands twice, NaN and a number beyond all bounds are refused: two parsers would read them in two ways
(RFC 8259, section 4).
"""

import json
import math
from collections.abc import Mapping
from typing import Any, Never


class NotJson(ValueError):
    """The text is no JSON that is read here; the message is safe to show."""


def read_json(text: str | bytes, *, most: int, deepest: int = 8) -> Any:
    """Return the value of a JSON text of at most `most` characters (or bytes) and `deepest` brackets.

    Raises:
        NotJson: too long, too deep, ambiguous, or not JSON.
    """
    if len(text) > most:
        raise NotJson("is too long")
    try:
        value = json.loads(
            text.decode("utf-8") if isinstance(text, bytes) else text,
            object_pairs_hook=_each_once,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except NotJson:
        raise
    except (ValueError, RecursionError):
        raise NotJson("is not valid JSON") from None
    if _is_deeper(value, deepest):
        raise NotJson("is nested too deeply")
    return value


def read_json_object(text: str | bytes, *, most: int, deepest: int = 8) -> Mapping[str, Any]:
    """Return the members of a JSON object.

    Raises:
        NotJson: as `read_json`, or it is something else than an object.
    """
    value = read_json(text, most=most, deepest=deepest)
    if not isinstance(value, dict):
        raise NotJson("is not a JSON object")
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise NotJson("names a member twice")
    return members


def _refuse_constant(_: str) -> Never:
    raise NotJson("is not valid JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise NotJson("has a number that is too large")
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner)
