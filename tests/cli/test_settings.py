"""`portico settings`: values, sources, secrets masked."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Portico


def test_json_names_value_source_default_and_meaning_of_each(portico: Portico, folder: Path) -> None:
    (folder / "portico.toml").write_text("[users]\nregistration = 'closed'\n")
    (folder / ".env").write_text("PORTICO_NAME=Acme\n")

    outcome = portico("settings", "--json", WORKERS="2")
    entries = {entry["name"]: entry for entry in json.loads(outcome.out)}

    found = {
        name: (entries[name]["value"], entries[name]["source"])
        for name in ("PORTICO_USERS__REGISTRATION", "PORTICO_NAME", "PORTICO_WORKERS", "PORTICO_REDIS__URL")
    }
    assert found == {
        "PORTICO_USERS__REGISTRATION": ("closed", "portico.toml"),
        "PORTICO_NAME": ("Acme", ".env"),
        "PORTICO_WORKERS": ("2", "environment"),
        "PORTICO_REDIS__URL": ("", "default"),
    }
    assert all(entry["description"] for entry in entries.values())
    assert entries["PORTICO_WORKERS"]["default"] == "1"


def test_changed_shows_only_what_is_not_the_default(portico: Portico) -> None:
    outcome = portico("settings", "--changed", "--json", NAME="Acme")

    assert [entry["name"] for entry in json.loads(outcome.out)] == ["PORTICO_NAME"]


def test_secrets_in_files_are_read_and_masked(portico: Portico, folder: Path) -> None:
    (folder / "secrets").mkdir()
    (folder / "secrets" / "PORTICO_SECRET_KEY").write_text("kT4!xq9Zp2vLw8RbN6sYc1Jd5Hf7Gm3A")

    outcome = portico("settings", "--changed", "--json", SECRETS_DIR=str(folder / "secrets"))

    (entry,) = json.loads(outcome.out)
    assert (entry["name"], entry["value"]) == ("PORTICO_SECRET_KEY", "********")
    assert entry["source"] == "secrets directory"


@pytest.mark.bar("CHECK-23", "ASVS-13.3.1")
def test_no_secret_is_printed(portico: Portico) -> None:
    secrets = {
        "SECRET_KEY": "canary-0-kT4xq9Zp2vLw8RbN6sYc1Jd5",
        "DATABASE__URL": "postgresql://u:canary-1@h/d",
        "DATABASE__OWNER_URL": "postgresql://u:canary-2@h/d",
        "REDIS__URL": "redis://:canary-3@h",
        "MAIL__URL": "smtp://u:canary-4@h:587",
    }

    shown = [portico("settings", **secrets), portico("settings", "--json", **secrets)]

    assert [outcome.status for outcome in shown] == [0, 0]
    assert "canary" not in "".join(outcome.out + outcome.err for outcome in shown)


def test_table_shows_every_setting(portico: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    outcome = portico("settings")

    rows = [line.split()[0] for line in outcome.out.splitlines()[1:]]
    assert len(rows) == len(set(rows)) > 60
    assert all(row.startswith("PORTICO_") for row in rows)
