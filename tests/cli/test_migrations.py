"""`portico migrate` and `portico draft-migration`, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.core.ids import new_id
from portico.testing import services
from tests.cli.conftest import Portico


@pytest.fixture
def blank(database_kind: str, folder: Path) -> Iterator[str]:
    """Return the URL of a database without any table."""
    if database_kind == "sqlite":
        yield f"sqlite:///{folder}/new/folder/portico.db"
        return
    name = f"blank_{new_id().hex[-12:]}"
    yield services.create_database(name)
    services.drop_database(name)


def test_migrate_brings_an_empty_database_up_and_check_agrees(portico: Portico, blank: str) -> None:
    before = portico("migrate", "--check", DATABASE__URL=blank)
    up = portico("migrate", DATABASE__URL=blank)
    after = portico("migrate", "--check", DATABASE__URL=blank)

    assert (before.status, up.status, after.status) == (1, 0, 0)
    assert before.err.strip() == "the database is at nothing: run `portico migrate`"
    assert after.out == "The database is up to date.\n"


def test_migrate_goes_down_and_up_again(portico: Portico, database: dict[str, str]) -> None:
    down = portico("migrate", "--down", "base", **database)
    behind = portico("migrate", "--check", **database)
    up = portico("migrate", **database)

    assert (down.status, behind.status, up.status) == (0, 1, 0)
    assert down.out == "The tables of portico are at base.\n"


def test_down_of_a_feature_without_migrations_is_refused(portico: Portico, database: dict[str, str]) -> None:
    outcome = portico("migrate", "--down", "base", "--feature", "users", **database)

    assert outcome.status == 1
    assert "'users' has no migrations of its own" in outcome.err


def test_commands_refuse_a_database_that_is_not_migrated(portico: Portico, blank: str) -> None:
    outcome = portico("keys", "list", DATABASE__URL=blank)

    assert (outcome.status, "run `portico migrate`" in outcome.err) == (1, True)


def test_draft_of_a_feature_becomes_tables(portico: Portico, folder: Path, blank: str) -> None:
    package = folder / f"garden_{new_id().hex[-12:]}"
    (package / "migrations").mkdir(parents=True)
    for init in (package / "__init__.py", package / "migrations" / "__init__.py"):
        init.touch()
    (package / "models.py").write_text(
        "from uuid import UUID\n"
        "from sqlalchemy import ForeignKey, Uuid\n"
        "from sqlalchemy.orm import Mapped, mapped_column\n"
        "from portico.db import Base, Identified\n"
        f"class Bed_{package.name}(Identified, Base):\n"
        f"    __tablename__ = '{package.name}_beds'\n"
        "    owner: Mapped[UUID] = mapped_column(Uuid, ForeignKey('portico_users.id'))\n"
    )
    (package / "feature.py").write_text(
        "from portico.feature import Feature\n"
        f"garden = Feature(name='{package.name}', migrations='{package.name}.migrations')\n"
    )
    settings = {"FEATURES": f'["{package.name}.feature:garden"]', "DATABASE__URL": blank}

    drafted = portico("draft-migration", "first beds", "--feature", package.name, **settings)
    portico("migrate", **settings)
    checked = portico("migrate", "--check", **settings)
    down = portico("migrate", "--down", "base", "--feature", package.name, **settings)

    written = (package / "migrations" / "versions" / "0001_first_beds.py").read_text()
    assert drafted.status == 0, drafted.err
    assert f"{package.name}_beds" in written
    assert "op.drop_table('portico" not in written
    assert (checked.status, down.status) == (0, 0)


def test_drafts_for_portico_itself_are_refused(portico: Portico) -> None:
    outcome = portico("draft-migration", "more", "--feature", "portico")

    assert (outcome.status, "in its repository" in outcome.err) == (1, True)
