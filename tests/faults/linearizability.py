"""Whether concurrent operations could have happened one after the other (Wing and Gong 1993, with memory as Lowe 2017).

Each operation takes effect at one moment between its call and its return. One whose outcome nobody knows (the node
died, the answer was lost) may take effect at any moment after its call, or never. Histories are checked key by key:
a session, a one-time token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class Operation:
    """What a client asked and was told; `told` is None where it does not know how it ended."""

    key: str
    asked: str
    argument: int
    told: bool | None
    called: float
    returned: float

    def __str__(self) -> str:
        until = "?" if self.told is None else f"{self.returned:.4f}"
        return f"{self.called:.4f}-{until} {self.key} {self.asked}({self.argument}): {self.told}"


class Model[S](Protocol):
    """One key, used by one client after the other."""

    @property
    def first(self) -> S:
        """Return the state that the key begins with."""
        ...

    def outcomes(self, state: S, operation: Operation) -> Sequence[tuple[bool, S]]:
        """Return what may be told, with the state after it."""
        ...


@dataclass(frozen=True, slots=True)
class SessionModel:
    """A session: alive or not, and the generation of its refresh tokens' leaf. Once over, over.

    Within the grace the direct parent is given the same child again; without one, it ends the session.
    """

    has_grace: bool
    first: tuple[bool, int] = (True, 0)

    def outcomes(
        self, state: tuple[bool, int], operation: Operation
    ) -> Sequence[tuple[bool, tuple[bool, int]]]:
        """Return what may be told, with the state after it."""
        alive, leaf = state
        if operation.asked == "log out":
            return [(True, (False, leaf))]
        if operation.asked == "use" or not alive:
            return [(alive, state)]
        presented = operation.argument
        if presented == leaf:
            return [(True, (True, leaf + 1))]
        if presented > leaf:
            return []
        if self.has_grace and presented == leaf - 1:
            return [(True, state)]
        return [(False, (False, leaf))]


@dataclass(frozen=True, slots=True)
class TokenModel:
    """A one-time token: good once."""

    first: bool = True

    def outcomes(self, state: bool, operation: Operation) -> Sequence[tuple[bool, bool]]:
        """Return what may be told, with the state after it."""
        return [(state, False)]


def is_linearizable(history: Sequence[Operation], model: Model[Any]) -> bool:
    """Tell whether some order explains what all operations on one key were told."""
    known = tuple(sorted(history, key=lambda each: each.called))
    everything = sum(1 << number for number, each in enumerate(known) if each.told is not None)
    seen: set[tuple[int, Any]] = set()
    waiting: list[tuple[int, Any]] = [(0, model.first)]
    while waiting:
        done, state = waiting.pop()
        if done & everything == everything:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        waiting.extend(_next(known, done, state, model))
    return False


def _next(known: Sequence[Operation], done: int, state: Any, model: Model[Any]) -> list[tuple[int, Any]]:
    """Return where the operations lead that may be the next one: those called before any other has returned."""
    left = [(number, each) for number, each in enumerate(known) if not done >> number & 1]
    deadline = min(each.returned if each.told is not None else FOREVER for _, each in left)
    return [
        (done | 1 << number, after)
        for number, each in left
        if each.called <= deadline
        for told, after in model.outcomes(state, each)
        if each.told is None or told == each.told
    ]


def anomalies(history: Sequence[Operation], models: dict[str, Model[Any]]) -> list[str]:
    """Return the histories of single keys that no order explains; `models` by the first word of the key."""
    keys: dict[str, list[Operation]] = {}
    for operation in history:
        keys.setdefault(operation.key, []).append(operation)
    return [
        "\n".join(map(str, sorted(found, key=lambda each: each.called)))
        for key, found in keys.items()
        if not is_linearizable(found, models[key.split()[0]])
    ]
