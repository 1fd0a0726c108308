"""Listings in the guides are parts of files that run; settings and SQL are what the code takes."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import asyncpg
import pytest

from portico.app import default_features
from portico.composition import compose
from portico.core.ids import new_id
from portico.core.settings import Settings
from portico.testing import services
from tests.cli.conftest import Portico, folder, portico

__all__ = ["folder", "portico"]

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str, str]]:
    """Return language, title and text of each block of a guide."""
    return BLOCK.findall((GUIDES / page).read_text(encoding="utf-8"))


EXAMPLES = {
    "embedding.md": "shop", "testing.md": "shop", "mail.md": "shop", "multi-tenancy.md": "documents",
    "mcp.md": "mcp_server",
}  # fmt: skip
LISTINGS = [
    pytest.param(example, title, text, id=f"{page}:{title}:{number}")
    for page, example in EXAMPLES.items()
    for number, (_, title, text) in enumerate(blocks(page))
    if title
]


@pytest.mark.parametrize(("example", "title", "text"), LISTINGS)
def test_listing_is_a_part_of_the_example(example: str, title: str, text: str) -> None:
    source = (ROOT / "examples" / example / title).read_text(encoding="utf-8")
    parts = [part.strip("\n") for part in text.split("\n\n\n")]

    assert all(part in source for part in parts), text


def test_there_are_listings() -> None:
    assert len(LISTINGS) > 15


def environment_of(page: str) -> dict[str, str]:
    """Return the settings that a guide shows."""
    (text,) = [text for _, title, text in blocks(page) if title.endswith(".env")]
    pairs = [line.partition("=") for line in text.splitlines() if line]
    return {name.removeprefix("PORTICO_"): value.strip("'") for name, _, value in pairs}


def test_production_settings_of_the_guide_are_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of("production.md").items():
        monkeypatch.setenv(f"PORTICO_{name}", value)

    runtime = compose(Settings(), default_features())

    assert (runtime.settings.is_production, runtime.settings.workers) == (True, 4)


def test_faults_are_told_as_the_guide_shows(portico: Portico) -> None:
    (shown,) = [text for _, _, text in blocks("production.md") if "refuses to start" in text]
    outcome = portico("serve", "--port", "0", ENVIRONMENT="production")

    assert outcome.err.strip() == shown.partition("\n")[2].strip()


def test_owner_migrates_and_the_application_owns_nothing(portico: Portico) -> None:
    mark = new_id().hex[-12:]
    names = {
        "portico_owner": f"owner_{mark}",
        "portico_app": f"app_{mark}",
        "DATABASE portico ": f"DATABASE db_{mark} ",
    }
    (as_superuser,) = [_renamed(text, names) for kind, _, text in blocks("production.md") if kind == "sql"]
    server = services.postgres_url()
    owner, app = (
        f"postgresql://{role}_{mark}@{urlsplit(server).netloc.rpartition('@')[2]}/db_{mark}"
        for role in ("owner", "app")
    )
    anyio.run(_execute, server, as_superuser)
    try:
        refused = portico("migrate", DATABASE__URL=app)
        migrated = portico("migrate", DATABASE__URL=app, DATABASE__OWNER_URL=owner)
        examined = portico("doctor", DATABASE__URL=app)
        for beyond in ("DROP TABLE portico_audit_entries", "CREATE TEMPORARY TABLE mine (id integer)"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                anyio.run(_execute, app, beyond)
    finally:
        services.drop_database(f"db_{mark}")
        anyio.run(_execute, server, f"DROP ROLE owner_{mark};\nDROP ROLE app_{mark};\n")

    assert (refused.status, migrated.status, examined.status) == (1, 0, 0), (refused, migrated, examined)


def _renamed(text: str, names: dict[str, str]) -> str:
    for there, here in names.items():
        text = text.replace(there, here)
    return text


async def _execute(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements.split(";\n"):
            if statement.strip():
                await connection.execute(statement)
    finally:
        await connection.close()
