"""What `portico settings` shows: every setting, its value, where it came from."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Table

from portico.cli.features import enabled_features
from portico.composition import sections_of
from portico.core.settings import Settings
from portico.core.settings_sources import SettingEntry, describe_settings, refuse_unknown_settings

DEFAULT = "default"


def list_settings(*, changed_only: bool = False) -> list[SettingEntry]:
    """Return the settings of the server with all of its features.

    Raises:
        UnknownSettings: a name that no enabled feature knows.
    """
    settings = Settings()
    complete = settings.with_sections(sections_of(enabled_features(settings)))
    refuse_unknown_settings(complete)
    entries = describe_settings(complete)
    return [entry for entry in entries if not changed_only or entry.source != DEFAULT]


def print_settings(entries: Sequence[SettingEntry], *, as_json: bool) -> None:
    """Print them as a table, or as JSON with their defaults and descriptions."""
    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in entries], indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Setting", "Value", "Source"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        table.add_row(entry.name, entry.value, entry.source, style="dim" if entry.source == DEFAULT else "")
    Console(highlight=False, markup=False).print(table)
