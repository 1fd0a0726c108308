"""`portico settings`: every setting, its value, where it came from."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from portico.app import default_features
from portico.core.settings import Settings
from portico.core.settings_sources import SettingEntry, describe_settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("settings")(show_settings)


def all_settings() -> list[SettingEntry]:
    """Return the settings of the server with all of its features."""
    sections = {feature.name: feature.settings for feature in default_features() if feature.settings}
    return describe_settings(Settings().with_sections(sections))


def show_settings(
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,  # noqa: FBT002
    changed: Annotated[bool, typer.Option("--changed", help="Only what is not the default.")] = False,  # noqa: FBT002
) -> None:
    """Print each setting with its value and its source; secrets are masked."""
    entries = [entry for entry in all_settings() if not changed or entry.source != "default"]
    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in entries], indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Setting", "Value", "Source"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        table.add_row(entry.name, entry.value, entry.source, style="" if entry.source != "default" else "dim")
    Console().print(table)
