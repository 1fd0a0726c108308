"""`portico organizations …`."""

from collections.abc import Awaitable, Callable

import anyio
import pytest
import typer
from typer.testing import CliRunner

from portico.composition import compose, opened
from portico.core.settings import Settings
from portico.feature import Feature
from portico.organizations.commands import register_commands
from portico.organizations.errors import SlugTaken
from portico.runtime import Runtime
from tests.sessions.people import add_person


class Line:
    """What the command line hands to every command."""

    def __init__(self, settings: Settings, features: list[Feature]) -> None:
        self._settings = settings
        self._features = features

    def run[T](self, work: Callable[[Runtime], Awaitable[T]]) -> T:
        async def run() -> T:
            async with opened(compose(self._settings, self._features), follows=False) as runtime:
                return await work(runtime)

        return anyio.run(run)


@pytest.fixture
def line(settings: Settings, features: list[Feature]) -> Line:
    return Line(settings, features)


@pytest.fixture
def call(line: Line) -> Callable[..., str]:
    app = typer.Typer()
    register_commands(app)

    def call(*words: str) -> str:
        result = CliRunner().invoke(app, ["organizations", *words], obj=line, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return call


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_whole_life(call: Callable[..., str], line: Line) -> None:
    line.run(lambda runtime: add_person(runtime, "ada@example.org"))
    line.run(lambda runtime: add_person(runtime, "bob@example.org"))

    made = call("create", "Acme Works", "ada@example.org")
    assert made.split()[1] == "acme-works"
    with pytest.raises(SlugTaken):
        call("create", "Acme", "bob@example.org", "--slug", "acrne-works")
    call("add-member", "acme-works", "bob@example.org", "--role", "admin")
    assert "bob@example.org" in call("members", "acme-works")

    call("transfer", "acme-works", "bob@example.org")
    roles = {
        row.split()[1]: row.split(maxsplit=2)[2] for row in call("members", made.split()[0]).splitlines()
    }
    assert roles == {"ada@example.org": "admin", "bob@example.org": "admin, owner"}

    call("disable", "acme-works")
    assert "disabled" in call("list")
    assert call("list", "--status", "active") == ""
    call("enable", "acme-works")
    assert "active" in call("list")
    call("delete", "acme-works")
    assert call("list") == ""
    assert "acme-works" in call("list", "--status", "deleted")
