"""Requests in more detail than scopes can say: `authorization_details` (RFC 9396).

What a type means is declared by whoever owns the API: its fields, and what may stand in them. Whatever is not declared
is refused, for consent to something that nobody understands is none (section 5).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from portico.oauth.protocol.json_objects import NotJson, read_json
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.uris import read_http_uri

MAX_DETAILS_TEXT = 8_192
MAX_DETAILS = 20
MAX_VALUES = 50
MAX_VALUE = 500

type Detail = dict[str, Any]
"""One object of the list, with its `type`."""


class FieldKind(StrEnum):
    """What stands in a field."""

    TEXT = "text"
    TEXTS = "texts"
    URIS = "uris"
    INTEGER = "integer"
    FLAG = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailsField:
    """A field: its kind, the values that may stand there (None: any), and whether it must be there."""

    kind: FieldKind
    allowed: frozenset[str] | None = None
    is_required: bool = False
    label: str = ""
    """What people read before the value when they consent."""


COMMON_FIELDS: Mapping[str, DetailsField] = {
    "locations": DetailsField(kind=FieldKind.URIS, label="At"),
    "actions": DetailsField(kind=FieldKind.TEXTS, label="Actions"),
    "datatypes": DetailsField(kind=FieldKind.TEXTS, label="Data"),
    "identifier": DetailsField(kind=FieldKind.TEXT, label="Which"),
    "privileges": DetailsField(kind=FieldKind.TEXTS, label="Privileges"),
}
"""The fields that the RFC names (section 2.2); a type has those that it declares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailsType:
    """A type of details: `title` is what people read when they consent."""

    name: str
    title: str
    fields: Mapping[str, DetailsField] = field(default_factory=dict)


def read_details(
    text: str, types: Mapping[str, DetailsType], *, allowed: Collection[str] | None = None
) -> tuple[Detail, ...]:
    """Return the details of a request, each of a declared type with declared fields and values.

    `allowed` are the types that the client has registered (section 10); None or none: every one.

    Raises:
        Refused: invalid_authorization_details (section 5).
    """
    try:
        value = read_json(text, most=MAX_DETAILS_TEXT, deepest=4)
    except NotJson as fault:
        raise _refused(str(fault)) from None
    if not isinstance(value, list) or not 0 < len(value) <= MAX_DETAILS:
        raise _refused(f"is not a list of one to {MAX_DETAILS} objects")
    return tuple(_detail(each, types, allowed) for each in value)


def narrow_details(requested: Sequence[Detail], granted: Sequence[Detail]) -> tuple[Detail, ...]:
    """Return what is asked for out of what was granted; all of it where nothing is asked for (section 6).

    Each object asked for must lie within one that was granted: the same fields, lists no longer, other values the
    same. A field that was granted and is left out would lift a limit, and one that was not could mean anything.

    Raises:
        Refused: invalid_authorization_details; it asks for more.
    """
    if any(not any(_is_within(each, whole) for whole in granted) for each in requested):
        raise _refused("goes beyond what was granted")
    return tuple(requested) or tuple(granted)


def covers(granted: Sequence[Detail], requested: Sequence[Detail]) -> bool:
    """Tell whether everything asked for lies within what was granted: consent that need not be asked again."""
    return all(any(_is_within(each, whole) for whole in granted) for each in requested)


def shown_details(detail: Detail, types: Mapping[str, DetailsType]) -> tuple[str, list[tuple[str, str]]]:
    """Return the title and, field by field, label and value of what a person is to consent to."""
    declared = types[detail["type"]]
    rows = [
        (each.label or name, _shown(detail[name])) for name, each in declared.fields.items() if name in detail
    ]
    return declared.title, rows


def _detail(value: Any, types: Mapping[str, DetailsType], allowed: Collection[str] | None) -> Detail:
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        raise _refused("has an element without a type")
    if kind not in types or (allowed and kind not in allowed):
        raise _refused("names a type that is not offered")
    declared = types[kind].fields
    for name, content in value.items():
        if name != "type":
            _check_field(declared.get(name), content)
    if any(each.is_required and name not in value for name, each in declared.items()):
        raise _refused("lacks a field that its type needs")
    return dict(value)


def _check_field(declared: DetailsField | None, content: Any) -> None:
    if declared is None:
        raise _refused("has a field that its type does not have")
    if not _CHECKS[declared.kind](content):
        raise _refused("has a field with a value of another type")
    if declared.allowed is None:
        return
    named = content if isinstance(content, list) else [content]
    if any(str(each) not in declared.allowed for each in named):
        raise _refused("has a field with a value that is not offered")


def _is_text(content: Any) -> bool:
    return isinstance(content, str) and 0 < len(content) <= MAX_VALUE and content.isprintable()


def _are_texts(content: Any) -> bool:
    return isinstance(content, list) and 0 < len(content) <= MAX_VALUES and all(map(_is_text, content))


def _are_uris(content: Any) -> bool:
    return _are_texts(content) and all(read_http_uri(each) is not None for each in content)


def _is_integer(content: Any) -> bool:
    return isinstance(content, int) and not isinstance(content, bool) and abs(content) < 2**53


def _is_flag(content: Any) -> bool:
    return isinstance(content, bool)


_CHECKS = {
    FieldKind.TEXT: _is_text,
    FieldKind.TEXTS: _are_texts,
    FieldKind.URIS: _are_uris,
    FieldKind.INTEGER: _is_integer,
    FieldKind.FLAG: _is_flag,
}


def _is_within(part: Detail, whole: Detail) -> bool:
    if part.keys() != whole.keys():
        return False
    return all(_is_part(part[name], whole[name]) for name in whole)


def _is_part(part: Any, whole: Any) -> bool:
    if isinstance(part, list) and isinstance(whole, list):
        return all(each in whole for each in part)
    return type(part) is type(whole) and bool(part == whole)


def _shown(content: Any) -> str:
    return ", ".join(map(str, content)) if isinstance(content, list) else str(content)


def _refused(why: str) -> Refused:
    return Refused(ErrorCode.INVALID_AUTHORIZATION_DETAILS, f"authorization_details {why}")
