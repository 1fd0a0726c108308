"""That every module of the OpenID Connect plans has a test of its name: config, basic, form post, and logout.

The modules of the form-post plan are those of the basic one; `party` plays each of them both ways.
"""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.mark.bar("A25-25.2", "A29-29.1")
def test_every_module_is_played() -> None:
    modules = set((FOLDER / "modules.txt").read_text().split())
    code = "".join(path.read_text() for path in FOLDER.glob("test_*.py"))

    missing = {
        name
        for name in modules
        if f"def test_{name.replace('-', '_')}(" not in code and f'"{name}"' not in code
    }

    assert len(modules) == 54
    assert missing == set()
