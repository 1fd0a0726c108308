"""`portico keys list` and `portico keys rotate`."""

from collections.abc import Awaitable, Callable

import anyio
import pytest
import typer
from typer.testing import CliRunner

from portico.composition import compose, opened
from portico.core.settings import Settings
from portico.feature import Feature
from portico.keys.commands import register_commands
from portico.runtime import Runtime


class Line:
    """What the command line hands to every command."""

    def __init__(self, settings: Settings, features: list[Feature]) -> None:
        self._settings = settings
        self._features = features

    def run[T](self, work: Callable[[Runtime], Awaitable[T]]) -> T:
        async def run() -> T:
            async with opened(compose(self._settings, self._features)) as runtime:
                return await work(runtime)

        return anyio.run(run)


@pytest.fixture
def call(settings: Settings, features: list[Feature]) -> Callable[..., str]:
    app = typer.Typer()
    register_commands(app)

    def call(*words: str) -> str:
        result = CliRunner().invoke(app, list(words), obj=Line(settings, features), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return call


def test_rotate_publishes_a_key_and_list_shows_both(call: Callable[..., str]) -> None:
    before = call("keys", "list").splitlines()
    answer = call("keys", "rotate")
    after = call("keys", "list").splitlines()

    assert len(before) == 1
    assert "until its successor signs" in before[0]
    assert " is published and signs from " in answer
    assert [line.split()[0] for line in after] == [before[0].split()[0], answer.split()[0]]
    assert "verifies until" in after[0]
    assert "is waiting already" in call("keys", "rotate")
