"""Values that the shapes of the API share: lengths and alphabets, no meaning."""

from typing import Annotated

from pydantic import AfterValidator, Field

from portico.oauth.protocol.redirect_uris import MAX_REDIRECT_URI, MAX_REDIRECT_URIS
from portico.oauth.protocol.rfc7591_values import MAX_LIST, MAX_TEXT, MAX_URI
from portico.oauth.types import TokenFormat

MOST_RESOURCES = 50
MOST_SCOPES = 200


def readable(text: str) -> str:
    """Return the text.

    Raises:
        ValueError: it is more than one line, or has what nobody can see.
    """
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be one line without control characters, and without spaces around it")
    return text


Name = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(readable)]
Words = Annotated[str, Field(max_length=MAX_TEXT)]
WordList = Annotated[list[Words], Field(max_length=MAX_LIST)]
Uri = Annotated[str, Field(max_length=MAX_URI)]
Redirects = Annotated[
    list[Annotated[str, Field(max_length=MAX_REDIRECT_URI)]], Field(max_length=MAX_REDIRECT_URIS)
]
Seconds = Annotated[int, Field(ge=0)]
TokenSeconds = Annotated[int, Field(ge=30, le=86_400)]
RefreshSeconds = Annotated[int, Field(ge=300, le=315_360_000)]
Url = Annotated[str, Field(min_length=1, max_length=500)]
Urls = Annotated[list[Url], Field(max_length=MOST_RESOURCES)]
Format = Annotated[TokenFormat, Field(strict=False)]
Meaning = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(readable)]
Scopes = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=120)], Meaning], Field(max_length=MOST_SCOPES)
]
