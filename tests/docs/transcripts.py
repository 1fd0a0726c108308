"""Runs what the documentation shows: the commands of its `console` blocks, and compares what they print.

A block holds commands (`$ …`) and what each prints. `…` stands for anything, on a line of its own for any number of
lines. Ids and times are taken for equal. All blocks of a page run in one shell, in their order.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
END = "\x1e"
SAME = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
)
SETTLE = "sleep 1"
"""Mail leaves after the answer; a reader is slower than a shell."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and what the page says that it prints."""

    command: str
    shown: str


def steps_of(page: Path) -> list[Step]:
    """Return the commands of a page, in their order."""
    return [step for block in BLOCK.findall(page.read_text(encoding="utf-8")) for step in _steps(block)]


def _steps(block: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield Step(command, shown.strip("\n"))


def run_steps(steps: list[Step], folder: Path, replaced: Mapping[str, str]) -> list[str]:
    """Run the commands in one shell in `folder` and return what each printed; `replaced` changes both ways."""
    script = "".join(f"{_prepared(step.command, replaced)}\nprintf '{END}'\n" for step in steps)
    run = subprocess.run(["bash"], input=script, cwd=folder, capture_output=True, text=True, check=False)
    printed = run.stdout
    for there, here in replaced.items():
        printed = printed.replace(here, there)
    return [text.strip("\n") for text in printed.split(END)[: len(steps)]]


def _prepared(command: str, replaced: Mapping[str, str]) -> str:
    for there, here in replaced.items():
        command = command.replace(there, here)
    return f"{SETTLE}; {command}" if "/dev/mail" in command else command


def matches(shown: str, printed: str) -> bool:
    """Tell whether a command printed what the page shows."""
    pattern = re.escape(_same(shown))
    pattern = re.sub(r"(^|\n)…(\n|$)", r"\1(?s:.*)\2", pattern.replace("\\\n", "\n")).replace("…", "[^\n]*")
    return re.fullmatch(pattern, _same(printed)) is not None


def _same(text: str) -> str:
    for pattern, word in SAME:
        text = pattern.sub(word, text)
    return text
