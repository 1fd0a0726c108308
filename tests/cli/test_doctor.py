"""`portico doctor`: exit 0 on a sound system; what is wrong is named, with exit 1."""

from pathlib import Path

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
