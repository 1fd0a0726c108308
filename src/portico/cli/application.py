"""Puts the commands together and turns refusals into one clear line and exit status 1.

Nothing heavy is imported before a command runs, so that `portico --help` answers at once; commands import what they
need inside themselves.
"""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import typer

from portico.cli.features import named_in_settings
from portico.cli.processes import CommandLine

OWN_COMMANDS = (
    "portico.cli.commands",
    "portico.cli.jobs",
    "portico.cli.authz",
    "portico.keys.commands",
    "portico.organizations.commands",
    "portico.api_keys.commands",
    "portico.oauth.commands",
    "portico.webhooks.commands",
    "portico.audit.commands",
    "portico.alerts.commands",
)
"""By module, because importing Portico's features takes longer than `--help` may."""
FOREIGN_SECRET = (
    "PORTICO_SECRET_KEY is not the secret under which the signing keys in the database are sealed"
)


def build(features: Iterable[Any] = ()) -> typer.Typer:
    """Return the whole command line, with the commands of the team's own `features`."""
    app = typer.Typer(
        name="portico",
        help="Accounts, sessions, sign-in and mail for a Python product.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for module in OWN_COMMANDS:
        importlib.import_module(module).register_commands(app)
    for feature in features:
        if feature.commands is not None:
            feature.commands(app)
    return app


def main() -> None:
    """Run the command line; the entry point `portico`."""
    # As for `python -m`: a team's own features are found in the folder where the command is called.
    sys.path.insert(0, str(Path.cwd()))
    try:
        build(named_in_settings())(obj=CommandLine())
    except Exception as error:
        if (message := refusal(error)) is None:
            raise
        typer.secho(message, fg="red", err=True)
        sys.exit(1)


def refusal(error: Exception) -> str | None:
    """Return what to tell the operator, or None for an error that is a bug and shows its traceback."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError
    from sqlalchemy.exc import DBAPIError

    from portico.cli.errors import CommandRefused
    from portico.core.crypto import SealBroken
    from portico.core.errors import PorticoError
    from portico.core.root_secret import SecretMissing
    from portico.core.safety import UnsafeSettings
    from portico.core.settings_sources import UnknownSettings
    from portico.db.chains import SchemaAhead, SchemaBehind
    from portico.db.tenancy.errors import TablesOpen

    tellers: list[tuple[tuple[type[Exception], ...], Callable[[Any], str]]] = [
        (
            (ValidationError,),
            lambda refused: "\n".join(map(_setting_fault, refused.errors(include_input=False))),
        ),
        ((SettingsError,), _unreadable),
        ((SealBroken,), lambda _: FOREIGN_SECRET),
        ((DBAPIError,), lambda refused: f"the database refuses: {_first_line(refused.orig)}"),
        ((OSError,), lambda refused: f"the system refuses: {_first_line(refused)}"),
        ((CommandRefused, PorticoError, SecretMissing), str),
        ((UnsafeSettings, UnknownSettings, SchemaAhead, SchemaBehind, TablesOpen), str),
    ]
    return next((tell(error) for kinds, tell in tellers if isinstance(error, kinds)), None)


def _setting_fault(fault: Mapping[str, Any]) -> str:
    """Return one line of pydantic's, without the value, which may be a secret."""
    where = "__".join(str(part) for part in fault["loc"]).upper()
    return f"PORTICO_{where}: {str(fault['msg']).removeprefix('Value error, ')}"


def _unreadable(error: Exception) -> str:
    """Name the group whose list or map is not JSON; pydantic-settings knows no more."""
    group = str(error).partition('field "')[2].partition('"')[0].upper()
    return f"PORTICO_{group}…: lists and maps are written as JSON ({error.__cause__})"


def _first_line(error: object) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
