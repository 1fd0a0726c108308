"""Every text is there in every language, with the same values in it."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "messages.py"


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("portico_messages_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_german_says_all_that_english_says(messages: ModuleType) -> None:
    assert messages.faults("de") == [], "run `python scripts/messages.py extract` and translate what is empty"


def test_check_finds_what_is_wrong(
    messages: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = messages.path_of("de").read_text(encoding="utf-8")
    spoilt = (
        sound.replace('msgstr "Anmelden"', 'msgstr ""')
        .replace('msgstr "Guten Tag %(name)s,"', 'msgstr "Guten Tag %(nmae)s,"')
        .replace('msgid "Sign out"', 'msgid "Sign off"')
    )
    path = tmp_path / "de" / "LC_MESSAGES" / "portico.po"
    path.parent.mkdir(parents=True)
    path.write_text(spoilt, encoding="utf-8")
    monkeypatch.setattr(messages, "CATALOGUES", tmp_path)

    found = {fault.split(" (")[0] for fault in messages.faults("de")}

    assert found >= {
        "no longer in the source: 'Sign off'",
        "not in the catalogue: 'Sign out'",
        "not translated: 'Sign in'",
        "other placeholders: 'Hello %(name)s,'",
    }
    assert messages.main(["check"]) == 1
