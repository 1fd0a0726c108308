"""The command line as a whole: quick help, every command, refusals without a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from portico.app import default_features
from portico.cli.application import OWN_COMMANDS
from tests.cli.conftest import Portico

HEAVY = ("sqlalchemy", "alembic", "fastapi", "pydantic", "uvicorn", "cryptography", "jinja2")
UNSAFE = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "change-me-change-me-change-me-change-me",
    "HTTP__DEBUG": "true",
    "OUTBOUND__ALLOW_LOOPBACK": "true",
}


def test_help_lists_every_command(portico: Portico) -> None:
    outcome = portico("--help")

    for command in ("serve", "migrate", "settings", "doctor", "create-admin", "seed", "purge", "keys"):
        assert f"\n  {command} " in outcome.out
    assert outcome.status == 0


def test_help_imports_nothing_heavy() -> None:
    """`portico --help` answers in well under a second because of this; a clock would only measure the machine."""
    code = (
        f"import sys, portico.cli as cli; cli.application.build(); print({set(HEAVY)} & sys.modules.keys())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "set()"


def test_commands_of_every_feature_are_known() -> None:
    with_commands = {
        f"portico.{feature.name}.commands" for feature in default_features() if feature.commands is not None
    }

    assert with_commands == {module for module in OWN_COMMANDS if not module.startswith("portico.cli.")}


@pytest.mark.parametrize("command", [["settings"], ["migrate"], ["doctor"], ["keys", "list"], ["serve"]])
def test_unknown_settings_are_refused_in_one_line_with_the_nearest(
    portico: Portico, command: list[str]
) -> None:
    outcome = portico(*command, DATABSE__URL="sqlite:///x.db")

    assert outcome.status == 1
    assert "PORTICO_DATABSE__URL (did you mean PORTICO_DATABASE__URL?)" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.bar("ASVS-13.4.2")
@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["keys", "list"], ["doctor"]])
def test_unsafe_production_is_refused_with_every_fault(portico: Portico, command: list[str]) -> None:
    outcome = portico(*command, **UNSAFE)

    assert outcome.status == 1
    for name in ("SECRET_KEY", "HTTP__DEBUG", "OUTBOUND__ALLOW_LOOPBACK", "PUBLIC_URL", "MAIL__URL"):
        assert f"PORTICO_{name}: " in outcome.err
    assert "change-me" not in outcome.err


@pytest.mark.bar("CHECK-23")
@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("WORKERS", "hunter2-many", "PORTICO_WORKERS: "),
        ("USERS__REGISTRATION", "hunter2-all", "PORTICO_USERS__REGISTRATION: "),
        ("MAIL__URL", "pigeon://hunter2@roof", "PORTICO_MAIL__URL: "),
        ("HTTP__ALLOWED_HOSTS", "[hunter2", "PORTICO_HTTP"),
        ("USERS__REGISTRATON", "hunter2-all", "PORTICO_USERS__REGISTRATON: "),
    ],
)
def test_wrong_values_are_named_and_not_shown(portico: Portico, name: str, value: str, told: str) -> None:
    outcome = portico("settings", **{name: value})

    assert (outcome.status, told in outcome.err) == (1, True)
    assert "hunter2" not in outcome.err
    assert "Traceback" not in outcome.err


def test_database_that_is_away_is_told_in_one_line(portico: Portico) -> None:
    outcome = portico("migrate", DATABASE__URL="postgresql://someone:hunter2@127.0.0.1:1/nothing")

    assert outcome.status == 1
    assert len(outcome.err.strip().splitlines()) == 1
    assert "hunter2" not in outcome.err


@pytest.mark.parametrize("name", ["nowhere.at.all:feature", "portico.users.feature:nothing", "os:sep", "os"])
def test_feature_that_cannot_be_loaded_is_refused(portico: Portico, name: str) -> None:
    outcome = portico("settings", FEATURES=f'["{name}"]')

    assert outcome.status == 1
    assert f"PORTICO_FEATURES: '{name}'" in outcome.err
    assert "Traceback" not in outcome.err


def test_feature_of_the_folder_is_loaded_with_its_settings_and_commands(
    portico: Portico, folder: Path
) -> None:
    (folder / "bakery.py").write_text(
        "from portico.core.settings import FeatureSettings\n"
        "from portico.feature import Feature\n"
        "class BakerySettings(FeatureSettings):\n"
        "    loaves: int = 3\n"
        "def add(app):\n"
        "    app.command('bake')(lambda: print('baked'))\n"
        "bakery = Feature(name='bakery', settings=BakerySettings, commands=add)\n"
    )
    (folder / "portico.toml").write_text('features = ["bakery:bakery"]\n[bakery]\nloaves = 5\n')

    shown, baked = portico("settings", "--changed"), portico("bake")

    assert "PORTICO_BAKERY__LOAVES" in shown.out
    assert baked.out == "baked\n"
