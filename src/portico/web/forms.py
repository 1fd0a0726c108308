"""Reading HTML forms, and showing them again with what is wrong at the field where it is wrong.

Forms are urlencoded and small. What was typed is kept when a form is shown again, except secrets.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Self
from urllib.parse import parse_qsl

from fastapi import Depends
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect, Request

from portico.core.errors import FieldFault, Invalid, Malformed, PorticoError, TooLarge
from portico.web.wording import FILL_IN, NOT_VALID, TOO_LONG, TOO_SHORT

MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_BYTES = 32_768
MAX_FIELDS = 40
MOST_BOXES = 190
"""Fields of a form that has a box for each of many things."""
MACHINERY = {"csrf_token", "next"}
"""Fields of the form itself, not of what it is about."""


@dataclass(frozen=True, slots=True)
class Form:
    """What was typed, and what is wrong with it."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    refusal: PorticoError | None = None

    def text(self, name: str) -> str:
        """Return what was typed into a field, stripped; empty if nothing was."""
        return self.values.get(name, "").strip()

    def checked(self, prefix: str) -> list[str]:
        """Return what was ticked of the boxes that are called `<prefix><what>`."""
        return [
            name.removeprefix(prefix)
            for name, value in self.values.items()
            if name.startswith(prefix) and value
        ]

    def secret(self, name: str) -> str:
        """Return a password as it was typed, spaces and all."""
        return self.values.get(name, "")

    def parse[M: BaseModel](self, model: type[M], *, clearing: Collection[str] = ()) -> M:
        """Read the form as the API reads a JSON body of the same fields; all values are text.

        A field left empty counts as not given; one of `clearing` as null, where empty means to take it away.

        Raises:
            Invalid: with a fault for each wrong field (422); also for a field that the model does not have.
        """
        body = {
            name: value or None
            for name, value in self.values.items()
            if name not in MACHINERY and (value or name in clearing)
        }
        try:
            return model.model_validate_json(json.dumps(body))
        except ValidationError as error:
            raise Invalid(errors=faults_of(error)) from None

    def only(self, *names: str, boxes: str | None = None) -> Self:
        """Return the form, if it has no other fields: for pages that read field by field.

        `boxes` is how the names of its boxes begin, as for `checked`.

        Raises:
            Invalid: with a fault for each field that the form does not have (422).
        """
        known = {*MACHINERY, *names}
        strange = [
            name
            for name in self.values
            if name not in known and (boxes is None or not name.startswith(boxes))
        ]
        if strange:
            raise Invalid(errors=[FieldFault("extra_forbidden", NOT_VALID, name) for name in strange])
        return self

    def without(self, *, boxes: str) -> Self:
        """Return the rest of a form, which is read like any other, beside its boxes."""
        rest = {name: value for name, value in self.values.items() if not name.startswith(boxes)}
        return replace(self, values=rest)

    def refused(self, refusal: PorticoError) -> Self:
        """Return the form as it is shown again."""
        return replace(self, refusal=refusal)

    @property
    def faults(self) -> tuple[FieldFault, ...]:
        """What is wrong with single fields, in the order in which it was found."""
        return self.refusal.errors if self.refusal else ()

    def faults_at(self, name: str) -> list[FieldFault]:
        """Return what is wrong with one field."""
        return [fault for fault in self.faults if fault.field.rpartition(".")[2] == name]


async def read_form(request: Request) -> Form:
    """Read the request's form: urlencoded, at most 32 KiB and 40 fields, each field once, UTF-8, no NUL.

    Raises:
        Malformed: not such a form (400).
        TooLarge: more bytes (413).
    """
    return await _read(request, MAX_FIELDS)


async def read_boxes(request: Request) -> Form:
    """Read a form that has a box for each of many things: the same, with more fields.

    Raises:
        Malformed (400), TooLarge (413).
    """
    return await _read(request, MOST_BOXES)


FormDep = Annotated[Form, Depends(read_form)]
BoxesDep = Annotated[Form, Depends(read_boxes)]


async def _read(request: Request, most_fields: int) -> Form:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise Malformed("Send the form as application/x-www-form-urlencoded.")
    try:
        body = await _bounded_body(request)
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=most_fields
        )
    except (ClientDisconnect, ValueError):
        raise Malformed("The form cannot be read.") from None
    return Form(_each_once(pairs))


async def _bounded_body(request: Request) -> bytes:
    # A body that was read before (the CSRF check needs the token in it) stands in the request already.
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise TooLarge
    return bytes(body)


def _each_once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in pairs:
        # A field sent twice is read differently by different readers (ASVS 5.0 V15.3.7).
        if name in values or "\0" in name or "\0" in value:
            raise Malformed("The form cannot be read.")
        values[name] = value.replace("\r\n", "\n")
    return values


def missing(form: Form, *names: str) -> Invalid:
    """Return the refusal that asks for those of the fields that were left empty."""
    empty = [name for name in names if not form.secret(name)]
    return Invalid(errors=[FieldFault("missing", FILL_IN, name) for name in empty])


def blame(refusal: PorticoError, code: str, name: str) -> PorticoError:
    """Point a refusal with this code at the field that caused it, where it names none itself."""
    if refusal.code == code and not refusal.errors:
        refusal.errors = (FieldFault(code, refusal.detail, name),)
    return refusal


def faults_of(error: ValidationError) -> tuple[FieldFault, ...]:
    """Return pydantic's findings in our words; what was typed is not repeated."""
    return tuple(
        FieldFault(
            code=found["type"],
            message=_message(found),
            field=".".join(str(part) for part in found["loc"]),
        )
        for found in error.errors(include_url=False, include_input=False)
    )


def _message(found: ErrorDetails) -> str:
    context = found.get("ctx", {})
    match found["type"]:
        case "missing":
            return FILL_IN
        case "string_too_short":
            return FILL_IN if context["min_length"] == 1 else TOO_SHORT % {"n": context["min_length"]}
        case "string_too_long":
            return TOO_LONG % {"n": context["max_length"]}
        case "value_error":
            return str(context["error"])
        case _:
            return NOT_VALID
