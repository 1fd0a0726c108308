"""One question of DNS and its answer: the TXT records of a name (RFC 1035). Pure, no I/O.

What comes from the network is read with care: an answer to another question is none, every length is checked, names
are followed backwards only, and there is an end to how much is looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

TXT: Final = 16
CNAME: Final = 5
INTERNET: Final = 1
HEADER_BYTES: Final = 12
LONGEST_LABEL: Final = 63
LONGEST_NAME: Final = 255
MOST_RECORDS: Final = 100
MOST_ALIASES: Final = 8

RECURSION_DESIRED: Final = 0x0100
IS_ANSWER: Final = 0x8000
IS_TRUNCATED: Final = 0x0200
OPCODE: Final = 0x7800
RCODE: Final = 0x000F
NO_ERROR: Final = 0
NO_SUCH_NAME: Final = 3

type Name = tuple[bytes, ...]


class NotAnAnswer(ValueError):
    """The bytes are no answer to this question: malformed, or to somebody else's."""


class ServerFailed(Exception):
    """The server says that it cannot tell."""


class Truncated(Exception):
    """There is more than fits; ask again by TCP (RFC 1035, section 4.2.1)."""


@dataclass(frozen=True, slots=True)
class Question:
    """What TXT records `name` has, asked under a number that a stranger cannot guess."""

    id: int
    name: str

    def encode(self) -> bytes:
        """Return the message.

        Raises:
            ValueError: the name cannot be written.
        """
        header = b"".join(number.to_bytes(2, "big") for number in (self.id, RECURSION_DESIRED, 1, 0, 0, 0))
        return header + _written(self.labels) + TXT.to_bytes(2, "big") + INTERNET.to_bytes(2, "big")

    @property
    def labels(self) -> Name:
        """Return the parts of the name, in lower case."""
        return tuple(label.encode("ascii").lower() for label in self.name.rstrip(".").split("."))

    def is_answered_by(self, message: bytes) -> bool:
        """Tell whether the message speaks of this question, whatever it says."""
        try:
            self._read_head(message)
        except NotAnAnswer:
            return False
        return True

    def read_answer(self, message: bytes) -> Sequence[str]:
        """Return the texts that the answer holds; none where the name has no such record, or does not exist.

        Raises:
            NotAnAnswer: malformed, or of another question.
            Truncated: more than one datagram holds.
            ServerFailed: the server could not find out.
        """
        flags, count, position = self._read_head(message)
        if flags & IS_TRUNCATED:
            raise Truncated
        code = flags & RCODE
        if code == NO_SUCH_NAME:
            return ()
        if code != NO_ERROR:
            raise ServerFailed(f"code {code}")
        return _texts_of(self.labels, _read_records(message, position, min(count, MOST_RECORDS)))

    def _read_head(self, message: bytes) -> tuple[int, int, int]:
        """Return flags, number of answers, and where they begin."""
        if len(message) < HEADER_BYTES:
            raise NotAnAnswer("too short")
        number, flags, questions, answers = (
            int.from_bytes(message[at : at + 2], "big") for at in range(0, 8, 2)
        )
        if number != self.id or not flags & IS_ANSWER or flags & OPCODE or questions != 1:
            raise NotAnAnswer("another one's")
        name, position = _read_name(message, HEADER_BYTES)
        asked = (int.from_bytes(_cut(message, position, 2), "big"), _number(message, position + 2))
        if name != self.labels or asked != (TXT, INTERNET):
            raise NotAnAnswer("to another question")
        return flags, answers, position + 4


@dataclass(frozen=True, slots=True)
class _Record:
    name: Name
    kind: int
    alias: Name = ()
    text: str = ""


def _written(labels: Name) -> bytes:
    if not labels or any(not 0 < len(label) <= LONGEST_LABEL for label in labels):
        raise ValueError("not a name")
    written = b"".join(len(label).to_bytes(1, "big") + label for label in labels) + b"\0"
    if len(written) > LONGEST_NAME:
        raise ValueError("the name is too long")
    return written


def _cut(message: bytes, start: int, size: int) -> bytes:
    if start + size > len(message):
        raise NotAnAnswer("cut off")
    return message[start : start + size]


def _number(message: bytes, start: int) -> int:
    return int.from_bytes(_cut(message, start, 2), "big")


def _read_name(message: bytes, start: int) -> tuple[Name, int]:
    """Return the name at `start`, and where what follows it begins; a pointer leads backwards only (section 4.1.4)."""
    labels: list[bytes] = []
    position, end, before, size = start, -1, start, 0
    while length := _cut(message, position, 1)[0]:
        if length >= 0xC0:
            target = _number(message, position) & 0x3FFF
            if target >= before:
                raise NotAnAnswer("a name in a circle")
            end = position + 2 if end < 0 else end
            position = before = target
            continue
        size += length + 1
        if length > LONGEST_LABEL or size >= LONGEST_NAME:
            raise NotAnAnswer("no name")
        labels.append(_cut(message, position + 1, length).lower())
        position += length + 1
    return tuple(labels), position + 1 if end < 0 else end


def _read_records(message: bytes, position: int, count: int) -> Sequence[_Record]:
    found: list[_Record] = []
    for _ in range(count):
        name, position = _read_name(message, position)
        kind, kind_class = _number(message, position), _number(message, position + 2)
        size = _number(message, position + 8)
        data = _cut(message, position + 10, size)
        if kind_class == INTERNET and kind == TXT:
            found.append(_Record(name, kind, text=_read_text(data)))
        elif kind_class == INTERNET and kind == CNAME:
            found.append(_Record(name, kind, alias=_read_name(message, position + 10)[0]))
        position += 10 + size
    return found


def _read_text(data: bytes) -> str:
    """Join the strings of a record (section 3.3.14)."""
    parts: list[bytes] = []
    position = 0
    while position < len(data):
        length = data[position]
        parts.append(_cut(data, position + 1, length))
        position += 1 + length
    return b"".join(parts).decode("ascii", "replace")


def _texts_of(name: Name, records: Sequence[_Record]) -> Sequence[str]:
    """Return the texts under the name, or under the one that it is an alias of."""
    for _ in range(MOST_ALIASES):
        alias = next((each.alias for each in records if each.kind == CNAME and each.name == name), None)
        if alias is None:
            break
        name = alias
    return tuple(each.text for each in records if each.kind == TXT and each.name == name)
