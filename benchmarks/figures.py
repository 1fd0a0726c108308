"""What is measured for how long, and the lines of the result."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result: what, how much, against which goal."""

    database: str
    name: str
    value: float
    unit: str
    goal: str
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how much to measure."""

    rounds: int
    seconds: float
    people: int
    sign_ins: int
    jobs: int


def at_most(database: str, name: str, value: float, unit: str, *, most: float) -> Figure:
    """Return a line whose goal is a maximum."""
    return Figure(database, name, value, unit, f"≤ {most:g}", value <= most)
