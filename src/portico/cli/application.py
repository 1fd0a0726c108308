"""Puts the commands together and turns refusals into one clear line and exit status 1."""

import sys

import typer
from pydantic import ValidationError
from rich.console import Console

from portico.app import default_features
from portico.cli import accounts, checkup, migrations, serving, shown_settings
from portico.core.errors import PorticoError
from portico.core.root_secret import SecretMissing
from portico.core.safety import UnsafeSettings
from portico.core.settings_sources import UnknownSettings
from portico.db.migrator import SchemaAhead, SchemaBehind

REFUSALS = (PorticoError, SecretMissing, UnsafeSettings, UnknownSettings, SchemaAhead, SchemaBehind)
MODULES = (serving, migrations, shown_settings, accounts, checkup)


def build() -> typer.Typer:
    """Return the whole command line."""
    app = typer.Typer(
        name="portico",
        help="Accounts, sessions, organizations and sign-in for a Python product.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for module in MODULES:
        module.register(app)
    for feature in default_features():
        if feature.commands is not None:
            feature.commands(app)
    return app


def main() -> None:
    """Run the command line; the entry point `portico`."""
    try:
        build()()
    except ValidationError as error:
        _refuse("\n".join(_setting_fault(fault) for fault in error.errors()))
    except REFUSALS as error:
        _refuse(str(error))


def _setting_fault(fault: object) -> str:
    """Return one line of pydantic's, without the value, which may be a secret."""
    where = "__".join(str(part) for part in fault["loc"]).upper()  # type: ignore[index]  # pydantic's ErrorDetails
    return f"PORTICO_{where}: {fault['msg']}"  # type: ignore[index]  # as above


def _refuse(message: str) -> None:
    Console(stderr=True).print(message, style="red", markup=False, highlight=False)
    sys.exit(1)
