"""The tutorial tells the truth: its commands run, and print what it shows."""

import re
import shutil
from pathlib import Path

import pytest

from portico.testing.live import live_server
from tests.docs.transcripts import matches, run_steps, steps_of

DOCS = Path(__file__).parents[2] / "docs"
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not shutil.which("curl") or not shutil.which("bash"), reason="needs curl and bash"),
]


def test_every_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    steps = steps_of(DOCS / "tutorial.md")
    with live_server(tmp_path) as server:
        printed = run_steps(steps, tmp_path, {"http://localhost:8000": server.url})

    wrong = [
        f"$ {step.command}\n{found}\n--- shown:\n{step.shown}"
        for step, found in zip(steps, printed, strict=True)
        if not matches(step.shown, found)
    ]
    assert len(steps) > 20
    assert not wrong, "\n\n".join(wrong)


def test_banner_is_as_shown(tmp_path: Path) -> None:
    text = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    shown = re.search(r"\$ make serve\n(.*?)\n```", text, re.DOTALL)
    with live_server(tmp_path) as server:
        banner = server.output.replace(server.url, "http://localhost:8000")

    assert shown is not None
    assert matches(shown.group(1).strip("\n") + "\n…", banner.strip("\n"))


@pytest.mark.parametrize(
    ("shown", "printed", "is_same"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a\n…\nz", "a\nb\nc\nz", True),
        ("a\n…\nz", "a\nb\nc", False),
        ('"x": "prt_…",', '"x": "prt_Ab-1",', True),
        ('"x": "prt_…",', '"x": "ptk_Ab-1",', False),
        ("204", "2044", False),
    ],
)
def test_comparison_can_fail(shown: str, printed: str, is_same: bool) -> None:
    assert matches(shown, printed) is is_same
