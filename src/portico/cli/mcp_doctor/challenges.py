"""Reads `WWW-Authenticate` as clients do: schemes and their parameters (RFC 9110, section 11.6.1)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_PIECE = re.compile(
    rf"\s*(?:,\s*)*(?:(?P<name>{_TOKEN})\s*=\s*(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<plain>{_TOKEN}))"
    rf"|(?P<scheme>{_TOKEN})(?=\s|,|$))"
)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge; the names of parameters in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def read_challenges(values: Sequence[str]) -> list[Challenge]:
    """Return the challenges of all headers in their order; what cannot be read ends the header."""
    return [challenge for value in values for challenge in _read(value)]


def _read(value: str) -> list[Challenge]:
    found: list[tuple[str, dict[str, str]]] = []
    position = 0
    while piece := _PIECE.match(value, position):
        position = piece.end()
        if piece["scheme"] is not None:
            found.append((piece["scheme"], {}))
        elif found:
            quoted = piece["quoted"]
            text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else piece["plain"]
            found[-1][1].setdefault(piece["name"].lower(), text)
    return [Challenge(scheme, parameters) for scheme, parameters in found]
