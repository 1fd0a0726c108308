"""The parameters of a request, as they came: which were given, how often, and what they say.

Unknown ones are ignored (RFC 6749, section 3.1); one without a value counts as not given; what was given twice is
found by the check of the table, not here.
"""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import parse_qsl

from portico.oauth.protocol.refusals import ErrorCode, Refused

MAX_FIELDS = 100
MAX_VALUE = 8192
REPEATABLE = frozenset({"resource", "audience"})
"""RFC 8707, section 2; RFC 8693, section 2.1."""
RESERVED = ":"
"""How names begin that we give ourselves; nobody outside can."""
SIGNED = RESERVED + "signed"
"""Kept with a request that was signed, for its signature is not."""


class Parameters:
    """Names and values of one request."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        values: dict[str, list[str]] = {}
        for name, value in pairs:
            if value:
                values.setdefault(name, []).append(value)
        self._values: Mapping[str, Sequence[str]] = values

    @classmethod
    def read(cls, encoded: bytes) -> "Parameters":
        """Read a query string or a form.

        Raises:
            Refused: invalid_request; no such encoding, too many fields, one too long, or a control character.
        """
        try:
            pairs = parse_qsl(
                encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
            )
        except ValueError:
            raise Refused(ErrorCode.INVALID_REQUEST, "the parameters cannot be read") from None
        for name, value in pairs:
            if len(value) > MAX_VALUE or len(name) > MAX_VALUE:
                raise Refused(ErrorCode.INVALID_REQUEST, f"a parameter has more than {MAX_VALUE} characters")
            if "\0" in value or "\0" in name:
                raise Refused(ErrorCode.INVALID_REQUEST, "a parameter has a character that none may have")
        return cls((name, value) for name, value in pairs if not name.startswith(RESERVED))

    def one(self, name: str) -> str | None:
        """Return the value of a parameter; the first, where it was given more than once."""
        values = self._values.get(name)
        return values[0] if values else None

    def many(self, name: str) -> tuple[str, ...]:
        """Return all values of a parameter that may be repeated."""
        return tuple(self._values.get(name, ()))

    def has(self, name: str) -> bool:
        """Tell whether it was given."""
        return name in self._values

    @property
    def repeated(self) -> frozenset[str]:
        """Return the names that were given more than once and must not be."""
        return frozenset(
            name for name, values in self._values.items() if len(values) > 1 and name not in REPEATABLE
        )

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Return names and values, to be kept."""
        return [(name, value) for name, values in self._values.items() for value in values]

    def merged(self, others: Mapping[str, str | Sequence[str]]) -> "Parameters":
        """Return these with `others` in the place of what has the same name."""
        kept = [(name, value) for name, value in self.pairs if name not in others]
        added = [
            (name, value)
            for name, given in others.items()
            for value in ([given] if isinstance(given, str) else given)
        ]
        return Parameters([*kept, *added])

    def without(self, *names: str) -> "Parameters":
        """Return these without some."""
        return Parameters((name, value) for name, value in self.pairs if name not in names)
