"""The programs that a page of the documentation shows: fenced blocks with a title are files of that name."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

BLOCK = re.compile(r'^```[a-z]+ title="([^"]+)"\n(.*?)^```', re.MULTILINE | re.DOTALL)
PROMISED = re.compile(r"^```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
SIGN_IN_AT = re.compile(r"Sign in at (\S+)")


def write_programs(page: Path, folder: Path, replaced: Mapping[str, str]) -> None:
    """Write the programs of a page into `folder`, with what is `replaced` in them."""
    text = page.read_text(encoding="utf-8")
    for there, here in replaced.items():
        text = text.replace(there, here)
    for name, program in BLOCK.findall(text):
        (folder / name).write_text(program, encoding="utf-8")


def promised(page: Path) -> str:
    """Return what the page says that its program prints."""
    found = PROMISED.search(page.read_text(encoding="utf-8"))
    assert found is not None
    return found.group(1).strip("\n")


@contextmanager
def running(
    *arguments: str, folder: Path, environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[str]"]:
    """Run Python with these arguments until the block ends; nobody's browser is opened."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"BROWSER": "true"} | dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_of(process: "subprocess.Popen[str]", pattern: re.Pattern[str]) -> re.Match[str]:
    """Return the first line that fits, of those that the program prints from now on."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if found := pattern.search(line):
            return found
    raise AssertionError("".join(seen))
