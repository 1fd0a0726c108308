"""`gettext(variable)` in a template takes the variable for markup of ours; only texts of the code may stand there."""

import re
from pathlib import Path

import portico

TEMPLATES = sorted(Path(portico.__file__).parent.rglob("*.jinja"))
CALL = re.compile(r"(?<![np])gettext\(([^\"'][^)]*)\)")
OF_THE_CODE = {
    "page.flash", "room.label", "label", "explained.title", "explained.text", "choice.label", "scope",
    "alerts[0].title", "alert.title", "alert.description",
}  # fmt: skip
"""Each of them is a constant of the code, whoever looks at the page. For everything else there is `| translated`."""


def test_what_people_typed_is_never_taken_for_markup() -> None:
    found = {
        f"{path.name}: {text.strip()}"
        for path in TEMPLATES
        for text in CALL.findall(path.read_text(encoding="utf-8"))
        if text.strip() not in OF_THE_CODE
    }

    assert found == set()
