"""The security guide tells what the settings and tables are; it cannot fall behind them unnoticed."""

import re
from pathlib import Path
from typing import Any

import pytest

from portico.app import default_features
from portico.composition import sections_of
from portico.core.settings import compose_settings
from portico.core.settings_sources import setting_fields
from portico.db import Base
from portico.db.chains import portico_chain
from portico.db.columns import UtcDateTime
from portico.tokens.repositories.one_time_tokens import MAX_FAILED_CODES
from portico.tokens.secret_format import CODE_DIGITS

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "security.md").read_text(encoding="utf-8")


def default(name: str) -> Any:
    """Return the default of a setting."""
    fields = {
        key: field for key, field, _ in setting_fields(compose_settings(sections_of(default_features())))
    }
    return fields[f"PORTICO_{name}"].get_default(call_default_factory=True, validated_data={})


FIGURES = {
    "15 minutes": ("access token", "SESSIONS__ACCESS_TOKEN_TTL"),
    "7 days idle": ("refresh token", "SESSIONS__IDLE"),
    "30 days absolute": ("refresh token", "SESSIONS__ABSOLUTE"),
    "1 day idle": ("browser session", "SESSIONS__PAGE_IDLE"),
    "14 days absolute": ("browser session", "SESSIONS__PAGE_ABSOLUTE"),
    "24 hours": ("link that proves an address", "USERS__VERIFICATION_TTL"),
    "30 minutes": ("link that resets a password", "CREDENTIALS__RESET_TTL"),
    "10 minutes": ("code in a mail", "TOKENS__CODE_LIFETIME"),
    "365 days": ("device cookie", "CREDENTIALS__REMEMBER_DEVICE"),
    "7 days": ("registration token", "CREDENTIALS__INVITATION_TTL"),
    "90 days": ("API key", "API_KEYS__DEFAULT_AGE"),
}
SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}


@pytest.mark.bar("ASVS-7.1.1")
@pytest.mark.parametrize(("shown", "of"), FIGURES.items())
def test_life_times_are_those_of_the_settings(shown: str, of: tuple[str, str]) -> None:
    thing, setting = of
    section = GUIDE.partition("## Sessions and tokens")[2].partition("\n## ")[0]
    (row,) = re.findall(rf"^\| {thing}.*$", section, re.MULTILINE)
    number, unit = shown.split()[:2]

    assert shown in row
    assert default(setting).total_seconds() == int(number) * SECONDS[unit.rstrip("s")]


@pytest.mark.bar("ASVS-7.1.2")
def test_parallel_sessions_are_those_of_the_settings() -> None:
    assert f"a person may have {default('SESSIONS__MAX_SESSIONS_PER_USER')} sessions" in GUIDE
    assert default("SESSIONS__ON_LIMIT") == "end_oldest"


@pytest.mark.bar("ASVS-6.1.1")
def test_guesses_are_those_of_the_settings() -> None:
    free, strangers, device = (
        default(f"CREDENTIALS__{name}") for name in ("FREE_GUESSES", "STRANGER_GUESSES", "DEVICE_GUESSES")
    )

    assert f"| 1 to {free} | answered at once |" in GUIDE
    assert f"| after {strangers} (strangers), {device} (device) |" in GUIDE
    assert (
        f"Codes in\nmails have {CODE_DIGITS} digits, live 10 minutes, and are void after {MAX_FAILED_CODES} wrong"
        in GUIDE
    )
    assert default("USERS__CODE_TRIES").startswith("10/hour")
    assert default("RATE_LIMIT__SIGN_IN") == "20/minute 100/hour 500/day"


@pytest.mark.bar("ASVS-2.1.3")
def test_limits_are_those_of_the_settings() -> None:
    assert f"| request body | {default('HTTP__MAX_BODY_BYTES') // 2**20} MiB | 413 |" in GUIDE
    assert f"| request headers | {default('HTTP__MAX_HEADER_BYTES') // 2**10} KiB | 431 |" in GUIDE
    assert f"| time of a request | {default('HTTP__REQUEST_TIMEOUT').seconds} s | 503 |" in GUIDE
    assert f"| hashes that wait in a worker | {default('CREDENTIALS__HASH_QUEUE')} |" in GUIDE
    assert default("USERS__VERIFICATION_MAILS") == "1/minute 5/hour"


@pytest.mark.bar("ASVS-14.1.1", "ASVS-14.1.2")
def test_every_table_is_classified_and_every_named_column_is_there() -> None:
    portico_chain().import_models()
    tables = {name: table for name, table in Base.metadata.tables.items() if name.startswith("portico_")}
    rows = [row for row in GUIDE.splitlines() if row.startswith("| `portico_")]
    classified = {name: row for row in rows for name in re.findall(r"`(portico_\w+)`", row.split("|")[1])}

    assert classified.keys() == tables.keys()
    for name, row in classified.items():
        assert set(re.findall(r"`(\w+)`", row.split("|")[3])) <= set(tables[name].columns.keys()), name


@pytest.mark.bar("ASVS-14.1.1")
def test_hashes_and_sealed_columns_are_named_as_secret_or_confidential() -> None:
    portico_chain().import_models()
    guarded = re.compile(r"(_hash|^sealed_\w+)$")
    columns = [
        (name, column.name)
        for name, table in Base.metadata.tables.items()
        for column in table.columns
        if name.startswith("portico_")
        and guarded.search(column.name)
        and not isinstance(column.type, UtcDateTime)
    ]
    rows = {name: row for row in GUIDE.splitlines() for name in re.findall(r"^\| `(portico_\w+)` ", row)}

    missing = [(table, column) for table, column in columns if f"`{column}`" not in rows[table]]
    assert missing == [("portico_idempotent_answers", "request_hash")]
    assert all(re.search("secret|confidential", rows[table]) for table, _ in columns)
