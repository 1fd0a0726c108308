"""`docs/reference/cli.md`: the commands and their options."""

import inspect
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from portico.cli.application import build
from scripts.reference.markdown import code, page, table
from scripts.reference.settings import default_in_words


def cli_page() -> str:
    """Write every command with its options."""
    parts = [
        part
        for name, command in walk("portico", get_command(build()))
        for part in command_parts(name, command)
    ]
    intro = """
`portico` runs in the folder that holds `.env` or `portico.toml`, if there is one. It ends with 0 when all went well,
with 1 when something was refused (standard error says what), and with 2 when it was called wrongly.
"""
    return page("Command line", intro, *parts)


def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, with its full name."""
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    if command.invoke_without_command:
        yield name, command
    for key in below:
        yield from walk(f"{name} {key}", below[key])


def command_parts(name: str, command: Any) -> Iterator[str]:
    """Yield heading, help and options of one command."""
    yield f"## {name}\n\n{inspect.cleandoc(command.help or '')}\n"
    rows = [option_row(parameter) for parameter in command.params if parameter.name != "help"]
    if rows:
        yield table(("Option", "Default", "Meaning"), rows)


def option_row(parameter: Any) -> tuple[str, str, str]:
    """Return one option of a command."""
    takes = (
        "" if getattr(parameter, "is_flag", False) else f" {(parameter.metavar or parameter.name).upper()}"
    )
    default = parameter.default
    shown = (
        "required"
        if parameter.required
        else ""
        if default in {None, False}
        else code(default_in_words(default))
    )
    where = f" Also read from the variable `{parameter.envvar}`." if parameter.envvar else ""
    return code(" ".join(parameter.opts) + takes), shown, (parameter.help or "") + where
