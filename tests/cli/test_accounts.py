"""`portico create-admin`, `seed`, `purge` and `keys`, on both databases."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from sqlalchemy import text

from portico.app import default_features
from portico.composition import compose, opened
from portico.core.settings import Settings
from portico.db import Database, Reads
from portico.runtime import Runtime
from portico.testing.live import clean_environment
from portico.users.services import Users
from tests.cli.conftest import Portico

PASSWORD = "correct horse battery staple 7"


@asynccontextmanager
async def open_runtime(database: dict[str, str], **given: object) -> AsyncIterator[Runtime]:
    """Lend a runtime on the database that the commands work on."""
    settings = Settings(database={"url": database["DATABASE__URL"]}, **given)
    async with opened(compose(settings, default_features()), follows=False) as runtime:
        yield runtime


def count(database: dict[str, str], query: str) -> int:
    """Return the one number that a query gives."""

    async def ask() -> int:
        opened = Database.from_settings(Settings(database={"url": database["DATABASE__URL"]}))
        try:
            async with Reads(opened)() as session:
                return int((await session.execute(text(query))).scalar_one())
        finally:
            await opened.close()

    return anyio.run(ask)


def test_administrator_is_made_with_a_proven_address(portico: Portico, database: dict[str, str]) -> None:
    outcome = portico(
        "create-admin", "--email", "ada@example.com", "--password-stdin", stdin=PASSWORD + "\n", **database
    )

    assert (outcome.status, outcome.out) == (0, "ada@example.com may administer this deployment.\n")
    assert count(database, "SELECT count(*) FROM portico_role_grants WHERE role = 'superuser'") == 1
    assert count(database, "SELECT count(*) FROM portico_email_addresses WHERE verified_at IS NOT NULL") == 1


@pytest.mark.parametrize(
    ("email", "password", "told"),
    [
        ("not-an-address", PASSWORD, "exactly one @"),
        ("ada@example.com", "password", "known from data breaches"),
        ("ada@example.com", "", "password"),
    ],
)
def test_administrator_is_refused_with_the_reason(
    portico: Portico, database: dict[str, str], email: str, password: str, told: str
) -> None:
    outcome = portico("create-admin", "--email", email, "--password-stdin", stdin=password, **database)

    assert (outcome.status, told in outcome.err) == (1, True), outcome.err
    assert count(database, "SELECT count(*) FROM portico_users") == 0


def test_second_administrator_with_the_same_address_is_refused(
    portico: Portico, database: dict[str, str]
) -> None:
    arguments = ("create-admin", "--email", "ada@example.com", "--password-stdin")
    portico(*arguments, stdin=PASSWORD, **database)

    outcome = portico(*arguments, stdin=PASSWORD, **database)

    assert (outcome.status, "already in use" in outcome.err) == (1, True)


def test_seed_goes_on_where_it_stopped(portico: Portico, database: dict[str, str]) -> None:
    portico("seed", "--users", "5", **database)
    more = portico("seed", "--users", "8", **database)
    again = portico("seed", "--users", "8", **database)

    assert (more.status, again.status) == (0, 0)
    assert count(database, "SELECT count(*) FROM portico_users") == 8


def test_seed_is_refused_in_production(portico: Portico, database: dict[str, str]) -> None:
    production = {
        "ENVIRONMENT": "production",
        "PUBLIC_URL": "https://id.example.com",
        "SECRET_KEY": "kT4!xq9Zp2vLw8RbN6sYc1Jd5Hf7Gm3A",
        "MAIL__URL": "smtps://mail.example.com",
    }
    outcome = portico("seed", "--users", "5", **production, **database)

    assert (outcome.status, "production is not seeded" in outcome.err) == (1, True), outcome.err
    assert count(database, "SELECT count(*) FROM portico_users") == 0


def test_purge_erases_the_deleted_whose_grace_is_over(portico: Portico, database: dict[str, str]) -> None:
    portico("seed", "--users", "3", **database)

    async def delete_two() -> None:
        async with open_runtime(database, users={"deletion_grace": "PT0S"}) as runtime:
            for number in (1, 2):
                account = await Users(runtime, runtime.unit()).find_by_identifier(
                    f"person{number}@seed.example"
                )
                assert account is not None
                await Users(runtime, runtime.unit()).delete_account(account.id)

    anyio.run(delete_two)
    first, second = portico("purge", **database), portico("purge", **database)

    assert (first.out, second.out) == ("Accounts erased: 2\n", "Accounts erased: 0\n")
    assert count(database, "SELECT count(*) FROM portico_users WHERE erased_at IS NOT NULL") == 2


def test_rotation_publishes_a_key_that_signs_later(portico: Portico, database: dict[str, str]) -> None:
    before = portico("keys", "list", **database)
    rotated = portico("keys", "rotate", **database)
    after = portico("keys", "list", **database)

    assert len(before.out.splitlines()) == 1
    assert re.fullmatch(r"\S+ is published and signs from .* UTC\.\n", rotated.out)
    assert len(after.out.splitlines()) == 2
    assert before.out.split()[0] in after.out


def test_another_root_secret_is_told(portico: Portico, database: dict[str, str]) -> None:
    portico("keys", "list", SECRET_KEY="kT4!xq9Zp2vLw8RbN6sYc1Jd5Hf7Gm3A", **database)

    outcome = portico("keys", "list", SECRET_KEY="another-4!xq9Zp2vLw8RbN6sYc1Jd5Hf7", **database)

    assert (outcome.status, "PORTICO_SECRET_KEY is not the secret" in outcome.err) == (1, True)


@pytest.mark.timeout(240)
def test_interrupted_seed_says_so_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "from portico.cli import main; main()"]
    command = [*program, "seed", "--users"]
    environment = clean_environment()
    subprocess.run([*program, "migrate"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    process = subprocess.Popen(
        [*command, "1000000"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    database = {"DATABASE__URL": f"sqlite:///{tmp_path}/portico-data/portico.db"}
    deadline = time.monotonic() + 30
    while (
        made := count(database, "SELECT count(*) FROM portico_users")
    ) == 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    kept = count(database, "SELECT count(*) FROM portico_users")
    subprocess.run([*command, str(kept + 7)], cwd=tmp_path, env=environment, check=True, capture_output=True)

    assert made > 0
    assert process.returncode == 130
    assert "the same command goes on from there" in told
    assert "Traceback" not in told
    assert count(database, "SELECT count(*) FROM portico_users") == kept + 7
