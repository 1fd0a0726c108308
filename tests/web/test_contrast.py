"""The colours of `portico.css`, measured (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re
from importlib.resources import files

import pytest

CSS = (files("portico.web") / "assets" / "portico.css").read_text(encoding="utf-8")

TEXT = [
    ("text", "ground"),
    ("text", "surface"),
    ("text", "sunken"),
    ("text-soft", "ground"),
    ("text-soft", "surface"),
    ("text-soft", "sunken"),
    ("accent-text", "ground"),
    ("accent-text", "surface"),
    ("accent-text", "sunken"),
    ("accent-text", "accent-wash"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("danger", "surface"),
    ("danger", "danger-wash"),
    ("text", "danger-wash"),
    ("success", "success-wash"),
    ("text", "success-wash"),
    ("caution", "caution-wash"),
    ("text", "caution-wash"),
]
EDGES = [("input-edge", "surface"), ("ring", "surface"), ("ring", "ground"), ("danger", "surface")]


def tokens(scheme: str) -> dict[str, str]:
    blocks = re.findall(r":root \{(.*?)\n\s*\}", CSS, re.DOTALL)
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in blocks)
    return light if scheme == "light" else light | dark


def luminance(colour: str) -> float:
    channels = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_the_measure_is_right() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "paper"), TEXT)
def test_text_is_readable(scheme: str, ink: str, paper: str) -> None:
    colours = tokens(scheme)

    assert contrast(colours[ink], colours[paper]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("edge", "paper"), EDGES)
def test_edges_of_inputs_and_focus_rings_are_seen(scheme: str, edge: str, paper: str) -> None:
    colours = tokens(scheme)

    assert contrast(colours[edge], colours[paper]) >= 3
