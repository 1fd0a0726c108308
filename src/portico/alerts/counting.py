"""When entries are too many: pure functions over the marks that a group has left within a window.

A window slides: it reaches back from each entry. What is kept is a list of marks, never longer than the threshold that
would end it, so that a flood costs no more than a trickle. Time is that of the entries: who reads the trail late comes
to the same alerts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Mark(NamedTuple):
    """What one entry leaves: its time in microseconds, its weight, the value that it stands for, its id in hex."""

    at: int
    weight: int
    value: str | None
    entry: str


class Counting(Protocol):
    """Decides by the marks of a group whether one more entry is too much."""

    @property
    def window(self) -> timedelta:
        """Return how long a mark counts, and how long an alert may rest and still be the same one."""
        ...

    @property
    def is_lasting(self) -> bool:
        """Tell whether what follows an alert belongs to it, instead of being counted anew."""
        ...

    def take(self, marks: Sequence[Mark], mark: Mark) -> tuple[list[Mark], list[Mark]]:
        """Return the marks to keep, and those that an alert is made of: none, if it is not too much."""
        ...


@dataclass(frozen=True, slots=True)
class Threshold:
    """Too much is `count` within `window`: of entries by weight, or of different values. 1 to 1,000."""

    count: int
    window: timedelta

    @property
    def is_lasting(self) -> bool:
        """An attack that goes on is one alert."""
        return True

    def take(self, marks: Sequence[Mark], mark: Mark) -> tuple[list[Mark], list[Mark]]:
        """Count the mark; what reached the threshold counts no more."""
        others = [each for each in marks if mark.value is None or each.value != mark.value]
        kept = _within([*others, mark], self.window)
        if sum(each.weight for each in kept) < self.count:
            return kept, []
        return [], kept


@dataclass(frozen=True, slots=True)
class Novelty:
    """Too much is a value that the group has not had within `window`; the first of all is taken for known."""

    window: timedelta
    most: int = 30
    """How many values are remembered; the one that rested longest is forgotten for another."""

    @property
    def is_lasting(self) -> bool:
        """Every new value is an alert of its own."""
        return False

    def take(self, marks: Sequence[Mark], mark: Mark) -> tuple[list[Mark], list[Mark]]:
        """Remember the value."""
        known = [each for each in _within([*marks, mark], self.window) if each is not mark]
        is_new = bool(known) and not any(each.value == mark.value for each in known)
        others = [each for each in known if each.value != mark.value]
        latest = max((each.at for each in known if each.value == mark.value), default=mark.at)
        kept = sorted([*others, mark._replace(at=max(mark.at, latest))])[-self.most :]
        return kept, [mark] if is_new else []


def microseconds(at: datetime) -> int:
    """Return a time as marks keep it."""
    return (at - EPOCH) // MICROSECOND


def moment(at: int) -> datetime:
    """Return the time of a mark."""
    return EPOCH + at * MICROSECOND


def _within(marks: Sequence[Mark], window: timedelta) -> list[Mark]:
    """Return the marks that count with the newest of them; entries may come a little out of the order of time."""
    edge = max(each.at for each in marks) - window // MICROSECOND
    return [each for each in marks if each.at > edge]
