"""`portico doctor`: exit 0 on a sound system; what is wrong is named, with exit 1."""

from pathlib import Path

import pytest

from portico.core.ids import new_id
from portico.testing import services
from tests.cli.conftest import Portico


def failing(output: str) -> list[str]:
    """Return the names of the checks that failed."""
    return [line.split()[1] for line in output.splitlines() if line.startswith("✗")]


def test_sound_system(portico: Portico, database: dict[str, str]) -> None:
    outcome = portico("doctor", **database)

    assert (outcome.status, failing(outcome.out)) == (0, []), outcome.out
    assert "hunter2" not in outcome.out


def test_database_away(portico: Portico) -> None:
    outcome = portico("doctor", DATABASE__URL="postgresql://someone:hunter2@127.0.0.1:1/nothing")

    assert outcome.status == 1
    assert "database" in failing(outcome.out)
    assert "hunter2" not in outcome.out + outcome.err


def test_database_not_migrated(portico: Portico) -> None:
    outcome = portico("doctor")

    assert (outcome.status, failing(outcome.out)) == (1, ["migrations"])
    assert "run `portico migrate`" in outcome.out


def test_data_directory_that_cannot_be_written(
    portico: Portico, folder: Path, database: dict[str, str]
) -> None:
    (folder / "file").touch()
    outcome = portico("doctor", DATA_DIR=str(folder / "file" / "data"), SECRET_KEY="k" * 40, **database)

    assert (outcome.status, failing(outcome.out)) == (1, ["storage"])


def test_mail_server_away(portico: Portico, database: dict[str, str]) -> None:
    outcome = portico("doctor", MAIL__URL="smtp://127.0.0.1:1", **database)

    assert outcome.status == 1
    assert "mail" in failing(outcome.out)


def test_redis_away(portico: Portico, database: dict[str, str]) -> None:
    outcome = portico("doctor", REDIS__URL="redis://127.0.0.1:1", **database)

    assert outcome.status == 1
    assert "redis" in failing(outcome.out)


@pytest.mark.bar("ASVS-13.2.2")
def test_production_that_serves_as_a_superuser(portico: Portico) -> None:
    name = f"doctor_{new_id().hex[-12:]}"
    database = {"DATABASE__URL": services.create_database(name)}
    production = {
        "ENVIRONMENT": "production",
        "PUBLIC_URL": "https://id.example.com",
        "SECRET_KEY": "Jw8fKq2vT5zXb9LmN3rYc7HdP4sG6uEa",
        "MAIL__URL": "file:///tmp/portico-mails",
    }
    try:
        portico("migrate", **database)
        elsewhere, outcome = portico("doctor", **database), portico("doctor", **database, **production)
    finally:
        services.drop_database(name)

    assert "privileges" in failing(outcome.out)
    assert "is a superuser" in outcome.out
    assert "privileges" not in failing(elsewhere.out)
