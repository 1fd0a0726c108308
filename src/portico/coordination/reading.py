"""How far this process has read the revocation log."""

from collections.abc import Callable, Iterable, Sequence

EVERYTHING = "*"
"""The subject that stands for all: whoever hears it forgets whatever he has cached."""

type Apply = Callable[[Sequence[str]], None]
"""Tells the caches of this process; returns when none of them holds the subjects any more."""

type Row = tuple[int, str]
"""`seq` and `subject`."""


class Reading:
    """A position in the log. It moves only after the rows up to it have been applied."""

    def __init__(self, apply: Apply) -> None:
        self.position = 0
        self._apply = apply
        self._own: set[int] = set()

    def begin_at(self, position: int) -> None:
        """Take a position without having read the rows before it: forget everything."""
        self._apply([EVERYTHING])
        self.position = position
        self._own.clear()

    def note_own(self, seqs: Iterable[int]) -> None:
        """Remember rows that this process has written and applied, so that it does not apply them twice."""
        self._own.update(seq for seq in seqs if seq > self.position)

    def take(self, rows: Sequence[Row]) -> None:
        """Apply rows that follow the position, in the order of `seq`, then move to the last.

        A number that is missing was trimmed while nobody could tell us, or rolled back; the two look the same, and
        everything is forgotten.
        """
        if not rows:
            return
        first, last = rows[0][0], rows[-1][0]
        is_whole = first == self.position + 1 and last - first == len(rows) - 1
        subjects = [subject for seq, subject in rows if seq not in self._own] if is_whole else [EVERYTHING]
        if subjects:
            self._apply(subjects)
        self.position = last
        self._own = {seq for seq in self._own if seq > self.position}
