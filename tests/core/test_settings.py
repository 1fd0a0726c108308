"""Settings: sources in order, sections of features, unknown names refused, production kept safe."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from portico.core.safety import SettingFault, UnsafeSettings, refuse_unsafe_settings
from portico.core.settings import Environment, FeatureSettings, Settings
from portico.core.settings_sources import UnknownSettings, describe_settings, refuse_unknown_settings


class ShopSettings(FeatureSettings):
    """The settings of a team's own feature."""

    currency: str = "EUR"
    """What prices are in."""

    def production_faults(self, settings: Settings) -> Iterable[SettingFault]:
        """Refuse play money."""
        if self.currency == "XTS":
            yield SettingFault("PORTICO_SHOP__CURRENCY", "is not real money")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Read no `.env` or `portico.toml` but the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def composed(**given: Any) -> Settings:
    return Settings(**given).with_sections({"shop": ShopSettings})


SAFE: dict[str, Any] = {
    "environment": Environment.PRODUCTION,
    "public_url": "https://id.example.com",
    "secret_key": "kT4!xq9Zp2vLw8RbN6sYc1Jd5Hf7Gm3A",
}


def test_sources_win_in_their_order(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = empty_folder / "secrets"
    secrets.mkdir()
    (empty_folder / "portico.toml").write_text(
        'name = "toml"\n[shop]\ncurrency = "TOM"\n[http]\ndebug = true\n'
    )
    (secrets / "PORTICO_NAME").write_text("file")
    (empty_folder / ".env").write_text("PORTICO_HTTP__MAX_BODY_BYTES=2048\nPORTICO_DATABASE__READERS=3\n")
    monkeypatch.setenv("PORTICO_SECRETS_DIR", str(secrets))
    monkeypatch.setenv("PORTICO_DATABASE__READERS", "9")

    settings = composed(workers=2)

    assert (settings.name, settings.workers, settings.database.readers) == ("file", 2, 9)
    assert (settings.http.max_body_bytes, settings.http.debug) == (2048, True)
    assert settings.section(ShopSettings).currency == "TOM"


def test_sources_are_told_and_secrets_masked(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_folder / "portico.toml").write_text('name = "toml"\n')
    (empty_folder / ".env").write_text("PORTICO_HTTP__MAX_BODY_BYTES=2048\n")
    monkeypatch.setenv("PORTICO_DATABASE__URL", "postgresql://user:hunter2@db/x")

    entries = {entry.name: entry for entry in describe_settings(composed(workers=2))}

    assert entries["PORTICO_WORKERS"].source == "argument"
    assert entries["PORTICO_DATABASE__URL"].source == "environment"
    assert entries["PORTICO_HTTP__MAX_BODY_BYTES"].source == ".env"
    assert entries["PORTICO_NAME"].source == "portico.toml"
    assert entries["PORTICO_SHOP__CURRENCY"].source == "default"
    assert "hunter2" not in repr(entries)


def test_every_setting_is_described() -> None:
    missing = [entry.name for entry in describe_settings(composed()) if not entry.description]

    assert missing == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("PORTICO_DATABSE__URL", "PORTICO_DATABASE__URL"),
        ("PORTICO_FLOWERS__COLOUR", ""),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(
    name: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "x")

    with pytest.raises(UnknownSettings) as refusal:
        refuse_unknown_settings(composed())

    assert name in str(refusal.value)
    assert hint in str(refusal.value)


def test_unknown_key_of_a_known_group_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_SHOP__CURENCY", "x")

    with pytest.raises(ValueError, match="curency"):
        composed()


def test_unknown_names_are_refused_in_every_file(empty_folder: Path) -> None:
    (empty_folder / ".env").write_text("PORTICO_NAM=x\nOTHER=y\n")
    (empty_folder / "portico.toml").write_text("[shop]\ncolour = 1\n")

    with pytest.raises(UnknownSettings) as refusal:
        refuse_unknown_settings(Settings())

    assert set(refusal.value.names) >= {"PORTICO_NAM"}


@pytest.mark.parametrize(
    "name",
    ["PORTICO_TEST_POSTGRES_URL", "PORTICO_SERVICE_HOST", "PORTICO_PORT", "PORTICO_PORT_8000_TCP_ADDR"],
)
def test_names_of_tests_and_kubernetes_are_exempt(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")

    refuse_unknown_settings(composed())


@pytest.mark.bar("ASVS-13.4.2", "ASVS-12.2.1", "ASVS-13.2.3", "T1", "A1-1.24", "A30-30.1")
def test_production_names_every_fault_at_once() -> None:
    unsafe = composed(
        environment="production",
        secret_key="change-me-change-me-change-me-change-me",
        http={
            "debug": True,
            "cors_origins": ("*",),
            "cors_credentials": True,
            "trusted_proxies": ("10.0.0.0/8",),
        },
        outbound={"allow_loopback": True},
        shop={"currency": "XTS"},
    )

    with pytest.raises(UnsafeSettings) as refusal:
        refuse_unsafe_settings(unsafe)

    assert {fault.setting for fault in refusal.value.faults} == {
        "PORTICO_SECRET_KEY",
        "PORTICO_PUBLIC_URL",
        "PORTICO_HTTP__DEBUG",
        "PORTICO_HTTP__CORS_ORIGINS",
        "PORTICO_HTTP__TRUSTED_PROXIES",
        "PORTICO_OUTBOUND__ALLOW_LOOPBACK",
        "PORTICO_SHOP__CURRENCY",
    }


def test_safe_production_is_let_through() -> None:
    refuse_unsafe_settings(composed(**SAFE))


@pytest.mark.bar("ASVS-15.3.4")
@pytest.mark.parametrize(
    "http",
    [
        {"trusted_proxies": ("10.0.0.1",)},
        {"forwarded_header": "x-forwarded-for"},
        {"trusted_proxies": ("0.0.0.0/0",), "forwarded_header": "forwarded"},
        {"trusted_proxies": ("not an address",), "forwarded_header": "forwarded"},
    ],
)
def test_ambiguous_proxies_are_refused_even_in_development(http: dict[str, Any]) -> None:
    with pytest.raises(UnsafeSettings):
        refuse_unsafe_settings(composed(http=http))


def test_public_url_must_be_a_clean_url() -> None:
    for url in ("ftp://x", "https://u:p@x", "https://x?q", "//x", "x"):
        with pytest.raises(ValueError, match="must"):
            Settings(public_url=url)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("900", 900),
        ("15m", 900),
        ("0.5", 0.5),
        ("250ms", 0.25),
        ("2h", 7200),
        ("PT15M", 900),
        ("00:15:00", 900),
    ],
)
def test_durations_are_read_as_people_write_them(
    written: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTICO_DATABASE__POOL_TIMEOUT", written)

    assert composed().database.pool_timeout.total_seconds() == seconds


def test_other_writings_of_durations_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_DATABASE__POOL_TIMEOUT", "soon")

    with pytest.raises(ValueError, match="pool_timeout"):
        composed()
