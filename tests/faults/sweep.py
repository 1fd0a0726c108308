"""Orders kills from a zygote and takes in how they went."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
STORIES = "tests.faults.stories"
WALL_SHARE = 0.3
"""The part of a long sweep that dies at any moment instead of at a named point."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One time that a story was played: where it died, and what was wrong afterwards."""

    story: str
    point: int | None
    moment: float | None
    where: str
    died: bool
    faults: tuple[str, ...]
    seconds: float
    passed: int | None
    duplicates: int = 0

    @classmethod
    def told(cls, answer: dict[str, Any]) -> "Kill":
        """Read a zygote's answer."""
        return cls(
            answer["story"],
            answer.get("point"),
            answer.get("moment"),
            answer.get("name", ""),
            answer["died"],
            tuple(answer["faults"]),
            answer["took"],
            answer.get("passed"),
            answer["duplicates"],
        )

    def __str__(self) -> str:
        at = f"moment {self.moment:.3f}" if self.moment is not None else f"point {self.point} {self.where}"
        return f"{self.story}, {at}: {'; '.join(self.faults) or 'whole'}"


@dataclass(slots=True)
class Deployment:
    """A zygote that listens."""

    process: subprocess.Popen[bytes]
    points: dict[str, int] = field(default_factory=dict)

    def play(self, story: str, *, point: int | None = None, moment: float | None = None) -> Kill:
        """Play a story once; without point and moment nobody dies."""
        request = {"story": story, "point": point, "moment": moment}
        return Kill.told(self._answer(json.dumps(request).encode() + b"\n"))

    def survey(self, story: str) -> Kill:
        """Play a story to its end and note how many points it has."""
        kill = self.play(story)
        self.points[story] = kill.passed or 0
        return kill

    def _answer(self, line: bytes) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(line)
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the zygote ended with {self.process.wait()}")
        found: dict[str, Any] = json.loads(answer)
        return found


@contextmanager
def deployment(
    url: str,
    folder: Path,
    names: Sequence[str],
    *,
    stories: str = STORIES,
    warm: int | None = None,
    **outside: str,
) -> Iterator[Deployment]:
    """Run a zygote on a migrated, empty database; `outside` are the URLs of sinks.

    It plays so many stories beforehand, to be `warm`: by default all of them.
    """
    order = {"url": url, "folder": str(folder), "stories": stories, "names": [*names[:warm]], **outside}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.zygote", json.dumps(order)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    try:
        assert process.stdout
        if not process.stdout.readline():
            raise RuntimeError(f"the zygote did not start: {process.wait()}")
        yield Deployment(process)
    finally:
        process.communicate(timeout=60)


def spread(counts: dict[str, int], total: int, chance: random.Random) -> list[tuple[str, int]]:
    """Return points of all stories, evenly spread: as many as `total`, or all that there are."""
    every = [(story, point) for story, count in counts.items() for point in range(1, count + 1)]
    if total >= len(every):
        return every
    step = len(every) / total
    first = chance.random() * step
    return [every[int(first + number * step)] for number in range(total)]
