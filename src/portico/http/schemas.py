"""Bases of request and response shapes, and the text that no field takes."""

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, field_validator

NUL = "\x00"
BAD_TEXT = "must not contain NUL characters or unpaired surrogates"


def is_storable(text: str) -> bool:
    """Tell whether `text` can be written to any database and sent as UTF-8: no NUL, no unpaired surrogate."""
    if NUL in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError(BAD_TEXT)
    return text


Text = Annotated[str, AfterValidator(_storable)]
"""A string for query, path and form parameters that stand outside of a model."""


_DATE_AND_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d", re.ASCII)


def _written_out(value: Any) -> Any:
    if isinstance(value, str) and _DATE_AND_TIME.match(value) is None:
        raise ValueError("must be a date and time with its offset (RFC 3339)")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]
"""A point in time as a request writes it; a bare number, which pydantic takes for seconds since 1970, is none."""


class _CheckedText(BaseModel):
    @field_validator("*", mode="before")
    @classmethod
    def _refuse_bad_text(cls, value: Any) -> Any:
        """Refuse text that PostgreSQL cannot store and UTF-8 cannot carry, before anything is made of it."""
        if _has_bad_text(value):
            raise ValueError(BAD_TEXT)
        return value


def _has_bad_text(value: Any) -> bool:
    if isinstance(value, str):
        return not is_storable(value)
    if isinstance(value, list):
        return any(_has_bad_text(item) for item in value)
    if isinstance(value, dict):
        return any(_has_bad_text(item) for pair in value.items() for item in pair)
    return False


class RequestModel(_CheckedText):
    """A request body: unknown fields are refused, types are strict, text is bounded by each field.

    Secrets never stand in an error: the input is kept out of it (`hide_input_in_errors`).
    """

    # Never `defer_build`, here and below: FastAPI hushes pydantic's warning about its own `alias` only while it builds
    # a field itself, so that shapes built at their first request answer it with 500.
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )


class QueryModel(_CheckedText):
    """Query parameters as one shape: unknown names are refused, numbers are read from their text."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )


class ResponseModel(BaseModel):
    """A response body, made from models or values by attribute."""

    model_config = ConfigDict(from_attributes=True, frozen=True, use_attribute_docstrings=True)
