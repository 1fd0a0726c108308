"""`docs/reference/settings.md` and `.env.example`."""

import json
import textwrap
import types
import typing
from collections.abc import Sequence
from datetime import timedelta
from enum import Enum
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import SecretStr, TypeAdapter
from pydantic_core import PydanticUndefined

from portico.app import default_features
from portico.composition import sections_of
from portico.core.settings import Settings, SettingsGroup, compose_settings
from portico.core.settings_sources import setting_fields
from scripts.reference.markdown import cell, code, described, is_union, page, table, titled

KINDS: dict[Any, str] = {
    bool: "`true` or `false`",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    timedelta: "duration",
    SecretStr: "secret text",
    IPv4Network: "network",
    IPv6Network: "network",
}
DURATION_UNITS = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))


class Setting(NamedTuple):
    """One setting as the reference shows it; `group` is where it nests, empty for the deployment's own."""

    group: str
    name: str
    kind: str
    default: str
    description: str
    is_secret: bool
    written: str
    """The default as it stands in the environment."""


@cache
def settings() -> tuple[Setting, ...]:
    """Return the settings of a server with all features."""
    from portico.app import default_features

    found = []
    for name, field, path in setting_fields(compose_settings(sections_of(default_features()))):
        value = field.get_default(call_default_factory=True, validated_data={})
        default = None if value is PydanticUndefined else value
        found.append(
            Setting(
                group=path[0] if len(path) > 1 else "",
                name=name,
                kind=kind_in_words(field.annotation, field.metadata),
                default=default_in_words(default),
                description=cell(field.description or ""),
                is_secret="SecretStr" in str(field.annotation),
                written=default_as_written(default),
            )
        )
    return tuple(found)


@cache
def group_intros() -> dict[str, str]:
    """Return what each group of settings is about, ground floor first, in their order."""
    ground = {name: described(Settings.model_fields[name].annotation) for name in Settings.ground_groups}
    return (
        {"": "The deployment as a whole."}
        | ground
        | {name: described(kind) for name, kind in sections_of(default_features()).items()}
    )


def kind_in_words(kind: Any, bounds: Sequence[Any] = ()) -> str:
    """Return what a value may be, for people."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return kind_in_words(parts[0], parts[1:])
    if is_union(kind):
        words = (kind_in_words(part, bounds) for part in parts if part is not types.NoneType)
        return " or ".join(dict.fromkeys(words))
    if choices := choices_of(kind):
        return "one of " + ", ".join(map(code, choices))
    if origin is dict:
        return "map of " + " to ".join(map(kind_in_words, parts))
    if origin in {tuple, frozenset}:
        return f"list of {kind_in_words(parts[0])}"
    return _plain_kind_in_words(kind) + bounds_in_words(bounds)


def _plain_kind_in_words(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, SettingsGroup):
        return "group of " + ", ".join(code(name) for name in kind.model_fields)
    return KINDS[kind]


def choices_of(kind: Any) -> list[str]:
    """Return the values of an enumeration or a Literal; none for other types."""
    if typing.get_origin(kind) is typing.Literal:
        return [str(choice) for choice in typing.get_args(kind)]
    return [str(choice.value) for choice in kind] if isinstance(kind, type) and issubclass(kind, Enum) else []


def bounds_in_words(bounds: Sequence[Any]) -> str:
    """Return the range of a value, after its kind."""
    low = next((default_in_words(b.ge) for b in bounds if hasattr(b, "ge")), None)
    above = next((default_in_words(b.gt) for b in bounds if hasattr(b, "gt")), None)
    high = next((default_in_words(b.le) for b in bounds if hasattr(b, "le")), None)
    longest = next((str(b.max_length) for b in bounds if hasattr(b, "max_length")), None)
    if longest:
        return f" of at most {longest} characters"
    if low is not None and high is not None:
        return f", {low} to {high}"
    parts = [
        f", at least {low}" if low else "",
        f", more than {above}" if above else "",
        f", at most {high}" if high else "",
    ]
    return "".join(parts)


def default_in_words(value: Any) -> str:
    """Return a default for people."""
    if isinstance(value, timedelta):
        return duration_in_words(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, (tuple, list, set, frozenset)):
        words = [default_in_words(each) for each in value]
        return ", ".join(sorted(words) if isinstance(value, (set, frozenset)) else words)
    return "" if value is None or value == {} else str(value)


def duration_in_words(value: timedelta) -> str:
    """Return `7 days`, `90 minutes`, `250 milliseconds`: the largest unit that leaves nothing over."""
    seconds = value.total_seconds()
    for unit, size in DURATION_UNITS:
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}" if count != 1 else f"1 {unit[:-1]}"
    return f"{seconds * 1000:.0f} milliseconds" if seconds else "0"


def default_as_written(value: Any) -> str:
    """Return a default as it would stand in the environment."""
    if isinstance(value, timedelta):
        return str(TypeAdapter(timedelta).dump_python(value, mode="json"))
    if isinstance(value, (tuple, list, set, frozenset)):
        words = [default_as_written(each) for each in value]
        return json.dumps(sorted(words) if isinstance(value, (set, frozenset)) else words)
    return json.dumps(value) if isinstance(value, dict) else default_in_words(value)


SETTINGS_INTRO = """
A setting comes from the first of these that names it: the environment, `.env`, a file in the folder that
`PORTICO_SECRETS_DIR` names, `portico.toml`, the default. `portico settings` prints what is in force and where it came
from. A name with the prefix `PORTICO_` that is not in this list is refused at the start.

**How values are written.** Durations as `PT15M` or `00:15:00` (15 minutes), `P7D` (7 days). Lists as JSON:
`PORTICO_HTTP__ALLOWED_HOSTS='["id.example.com"]'`. Maps as JSON, or one entry at a time. Limits as
`10/minute 100/hour`: all of the windows hold. In `portico.toml` a group is a table:

```toml
public_url = "https://id.example.com"

[database]
pool_size = 20
```
"""


def settings_page() -> str:
    """Write every setting, by group."""
    parts = []
    for group, intro in group_intros().items():
        rows = [
            (code(entry.name), entry.kind, code(entry.default), entry.description)
            for entry in settings()
            if entry.group == group
        ]
        if rows:
            parts.append(f"## {titled(group) or 'Deployment'}\n\n{intro}\n")
            parts.append(table(("Setting", "Value", "Default", "Meaning"), rows))
    return page("Settings", SETTINGS_INTRO, *parts)


def env_example() -> str:
    """Write every setting as a comment, with its default."""
    lines = [
        "# Every setting with its default. Copy it to `.env` and take away the `#` where you want another.",
        "# Written by `python scripts/references.py` from the code; do not edit by hand.",
    ]
    for group, intro in group_intros().items():
        entries = [entry for entry in settings() if entry.group == group]
        if entries:
            lines += ["", "", f"# --- {titled(group) or 'Deployment'}: {intro}"]
        for entry in entries:
            lines += ["", *wrapped(entry.description), f"# {entry.name}={quoted(entry.written)}"]
    return "\n".join(lines) + "\n"


def wrapped(text: str) -> list[str]:
    """Return comment lines of at most 110 characters."""
    return [f"# {line}" for line in textwrap.wrap(text.replace("`", ""), 108, break_long_words=False)]


def quoted(value: str) -> str:
    """Return a value as `.env` takes it."""
    return f"'{value}'" if any(character in value for character in ' "#{[') else value
