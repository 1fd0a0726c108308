"""Finds the access token in a request: in one `Authorization` header, and nowhere else.

A token in the query is not looked at (RFC 9700, section 4.3.2), and neither is one in the body, which is never read
for it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from portico.resource_server.types import Scheme

MAX_TOKEN = 8192
MAX_QUERY_FIELDS = 100

_SCHEMES = {scheme.value.lower(): scheme for scheme in Scheme}
_WORDS = re.compile(r"(?P<scheme>[A-Za-z0-9!#$%&'*+.^_`|~-]+)(?: +(?P<rest>.*))?", re.ASCII | re.DOTALL)
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*", re.ASCII)


class RequestMalformed(Exception):
    """The credentials are written so that no two readers would agree about them (RFC 6750, section 3.1)."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A token as it was presented; `token` is None where it is longer than any of ours, or no token at all."""

    scheme: Scheme
    token: str | None = field(repr=False)


def read_credential(headers: Sequence[tuple[bytes, bytes]], query: bytes) -> Presented | None:
    """Return the token of the request, or None where there is none that concerns us.

    The name of the scheme is read without regard to case (RFC 9110, section 11.1).

    Raises:
        RequestMalformed: two headers, a header and a query parameter, a scheme without exactly one word after it.
    """
    given = [value for name, value in headers if name == b"authorization"]
    if not given:
        return None
    if len(given) > 1:
        raise RequestMalformed("There is more than one Authorization header")
    words = _WORDS.fullmatch(given[0].decode("latin-1").strip())
    if words is None:
        raise RequestMalformed("The Authorization header is malformed")
    scheme = _SCHEMES.get(words["scheme"].lower())
    if scheme is None:
        return None
    if not words["rest"] or any(letter in words["rest"] for letter in " ,\t"):
        raise RequestMalformed("The Authorization header names no token, or more than one")
    if _has_token(query):
        raise RequestMalformed("The access token is sent in more than one way")
    token = words["rest"]
    is_token = len(token) <= MAX_TOKEN and _TOKEN.fullmatch(token) is not None
    return Presented(scheme, token if is_token else None)


def _has_token(query: bytes) -> bool:
    if b"access_token" not in query:
        return False
    try:
        fields = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        return True
    return any(name == "access_token" for name, _ in fields)
