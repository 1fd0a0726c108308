"""The long run: `make faults`, or `python -m tests.faults --points 10000 --histories 1000`.

Kills every story at every point once and then at moments of chance, on both databases, and checks histories of two
nodes. What was done is written down in `build/faults`, so that a run which is interrupted goes on where it stopped;
another seed begins anew. Prints a line while it goes, figures at the end, and ends with 1 if anything was found.
"""

import argparse
import asyncio
import json
import os
import queue
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from portico.app import default_features
from portico.composition import chains_of
from portico.testing import services
from portico.testing.templates import DatabaseTemplates
from tests.faults import outside as outside_stories, stories as house_stories
from tests.faults.histories import Nodes, models, node_settings, recorded, running_nodes
from tests.faults.linearizability import anomalies
from tests.faults.sinks import outside
from tests.faults.sweep import Deployment, Kill, deployment

KINDS = ("sqlite", "postgresql")
MODULES = (house_stories, outside_stories)
SPEAKS_EVERY_SECONDS = 15.0
BATCH = 25
"""Histories that are played on the same nodes."""
LONG_PAUSE_EVERY = 20
MEMORY = Path("/dev/shm")


@dataclass(slots=True)
class Ledger:
    """What was done, a line of JSON each, and what was found."""

    path: Path
    total: int
    what: str
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    known: int = 0
    _spoke: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                entry = json.loads(line)
                self.done[entry["key"]] = entry
        self.known = len(self.done)

    def note(self, key: str, **entry: Any) -> None:
        """Write down one thing that was done."""
        with self._lock:
            self.done[key] = {"key": key, **entry}
            with self.path.open("a") as file:
                file.write(json.dumps(self.done[key]) + "\n")
            self._speak()

    @property
    def faults(self) -> list[str]:
        """Return what was found."""
        return [f"{key}: {fault}" for key, entry in self.done.items() for fault in entry["faults"]]

    def figures(self) -> str:
        """Return how far it is."""
        new = len(self.done) - self.known
        rate = new / max(time.monotonic() - self.began, 0.001)
        died = sum(entry.get("died", False) for entry in self.done.values())
        twice = sum(entry.get("duplicates", 0) for entry in self.done.values())
        unknown = sum(entry.get("unknown", 0) for entry in self.done.values())
        told = f"{self.what}: {len(self.done)}/{self.total}, {len(self.faults)} faults, {rate:.1f}/s"
        return (
            f"{told}, {died} deaths, {twice} duplicates"
            if unknown == 0
            else f"{told}, {unknown} answers lost"
        )

    def _speak(self) -> None:
        now, is_watched = time.monotonic(), sys.stderr.isatty()
        if now - self._spoke < (0.2 if is_watched else SPEAKS_EVERY_SECONDS):
            return
        self._spoke = now
        sys.stderr.write(f"\r\033[K{self.figures()}" if is_watched else f"{self.figures()}\n")
        sys.stderr.flush()


@dataclass(frozen=True, slots=True)
class Stages:
    """Makes databases by the copy, one thread at a time: the first copy needs migrations, and they bear no company."""

    templates: DatabaseTemplates
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def stage(self, kind: str) -> Iterator[tuple[str, Path]]:
        """Lend the URL of a migrated, empty database and a folder."""
        folder, chains = new_folder(), chains_of(default_features())
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            with self.lock:
                if kind == "sqlite":
                    url = self.templates.sqlite(folder / "portico.db", chains)
                else:
                    url = services.as_superuser(stack.enter_context(self.templates.postgres(chains)))
            yield url, folder


def new_folder() -> Path:
    """Make a folder that costs no disk, where the machine has any such."""
    return Path(tempfile.mkdtemp(prefix="portico-faults-", dir=MEMORY if MEMORY.is_dir() else None))


@contextmanager
def stages() -> Iterator[Stages]:
    """Lend what makes databases, and clear away what they were copied from."""
    folder = new_folder()
    templates = DatabaseTemplates(folder, "faults")
    try:
        yield Stages(templates)
    finally:
        templates.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def playing(made: Stages, kind: str, module: Any) -> Iterator[Deployment]:
    """Run a zygote with the stories of a module, and the world outside."""
    names = [story.name for story in module.STORIES]
    with made.stage(kind) as (url, folder), ExitStack() as stack:
        urls: dict[str, Any] = {}
        if module is outside_stories:
            urls = asdict(stack.enter_context(outside(folder / "data")))
        yield stack.enter_context(deployment(url, folder, names, stories=module.__name__, **urls))


def sweep(made: Stages, kind: str, module: Any, points: int, asked: argparse.Namespace) -> Ledger:
    """Kill the stories of one module on one database, `points` times."""
    with playing(made, kind, module) as lives:
        surveys = [lives.survey(story.name) for story in module.STORIES]
        plan = planned(lives.points, points, random.Random(asked.seed))
    name = module.__name__.rpartition(".")[2]
    ledger = Ledger(asked.folder / f"{kind}-{name}-{asked.seed}.jsonl", len(plan), f"{kind}, {name}")
    for survey in surveys:
        if survey.faults:
            raise SystemExit(f"not even whole where nobody dies: {survey}")
    left: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    for play in plan:
        if key_of(play) not in ledger.done:
            left.put(play)
    _together(asked.jobs, lambda: _play_all(made, kind, module, left, ledger))
    return ledger


def planned(counts: dict[str, int], total: int, chance: random.Random) -> list[dict[str, Any]]:
    """Return every point once and then moments of chance, shuffled; or as many points as there is time for."""
    every: list[dict[str, Any]] = [
        {"story": story, "point": point} for story, count in counts.items() for point in range(1, count + 1)
    ]
    chance.shuffle(every)
    names = sorted(counts)
    moments = [
        {"story": chance.choice(names), "moment": round(chance.random(), 6)}
        for _ in range(total - len(every))
    ]
    plan = every[:total] + moments
    chance.shuffle(plan)
    return plan


def key_of(play: dict[str, Any]) -> str:
    """Name one play in the ledger."""
    return f"{play['story']} {play.get('point') or play.get('moment')}"


def _play_all(
    made: Stages, kind: str, module: Any, left: "queue.SimpleQueue[dict[str, Any]]", ledger: Ledger
) -> None:
    with playing(made, kind, module) as lives:
        for story in module.STORIES:
            lives.survey(story.name)
        while not left.empty():
            try:
                play = left.get_nowait()
            except queue.Empty:
                return
            kill: Kill = lives.play(**play)
            ledger.note(
                key_of(play), died=kill.died, where=kill.where, faults=kill.faults, duplicates=kill.duplicates
            )


def _together(jobs: int, work: Callable[[], None]) -> None:
    """Do the work in so many threads; each has a process of its own that is kept busy."""
    failures: list[BaseException] = []

    def one() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told below, by the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=one, daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures:
        raise failure


def check_histories(made: Stages, kind: str, asked: argparse.Namespace) -> Ledger:
    """Play histories on one database, every other batch of them with a grace for refresh tokens."""
    number: int = asked.histories
    ledger = Ledger(asked.folder / f"{kind}-histories-{asked.seed}.jsonl", number, f"{kind}, histories")
    for first in range(0, number, BATCH):
        batch = range(first, min(first + BATCH, number))
        wanted = [each for each in batch if f"history {each}" not in ledger.done]
        if wanted:
            _play_histories(made.stage(kind), wanted, asked, ledger, grace=first // BATCH % 2 == 1)
    return ledger


def _play_histories(
    staged: AbstractContextManager[tuple[str, Path]],
    wanted: Sequence[int],
    asked: argparse.Namespace,
    ledger: Ledger,
    *,
    grace: bool,
) -> None:
    async def play(settings: dict[str, Any], nodes: Nodes) -> None:
        async with recorded(settings, nodes, asked.seed) as recorder_of:
            for each in wanted:
                long_pauses = 1 if each % LONG_PAUSE_EVERY == 0 else 0
                history = await recorder_of(each).play(asked.operations, long_pauses=long_pauses)
                unknown = sum(operation.told is None for operation in history)
                found = anomalies(history, models(grace=grace))
                ledger.note(f"history {each}", faults=found, unknown=unknown, operations=len(history))

    with staged as (url, folder):
        settings = node_settings(url, folder, grace=grace)
        with running_nodes(settings) as nodes:
            asyncio.run(play(settings, nodes))


def run(made: Stages, kind: str, asked: argparse.Namespace) -> Iterator[Ledger]:
    """Do all that is asked for on one database: most of the kills in the house, a fifth at its doors, histories."""
    shares = (asked.points - asked.points // 5, asked.points // 5)
    for module, share in zip(MODULES, shares, strict=True):
        if share:
            yield sweep(made, kind, module, share, asked)
    if asked.histories:
        yield check_histories(made, kind, asked)


def main() -> int:
    """Run what the arguments ask for; return the exit status."""
    asked = _arguments()
    asked.folder.mkdir(parents=True, exist_ok=True)
    os.nice(asked.nice)
    try:
        with stages() as made:
            ledgers = [ledger for kind in asked.databases for ledger in run(made, kind, asked)]
    except KeyboardInterrupt:
        sys.stderr.write("\nThe next run goes on from here.\n")
        return 130
    for ledger in ledgers:
        print(ledger.figures())  # noqa: T201 - what the command is for
    faults = [fault for ledger in ledgers for fault in ledger.faults]
    for fault in faults[:20]:
        print(fault)  # noqa: T201 - as above
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Kill Portico, and look.")
    parser.add_argument("--points", type=int, default=10_000, help="kills on each database")
    parser.add_argument("--histories", type=int, default=1_000, help="histories on each database")
    parser.add_argument("--operations", type=int, default=200, help="operations of a history")
    parser.add_argument("--databases", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="deployments at the same time")
    parser.add_argument("--seed", type=int, default=20261120)
    parser.add_argument("--folder", type=Path, default=Path("build/faults"), help="where the ledger is kept")
    parser.add_argument("--nice", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
