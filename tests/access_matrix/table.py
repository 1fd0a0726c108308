"""Reads `matrix.toml`: what each route asks for, what each caller gets, and a body that does what the route is for."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("matrix.toml")
COLUMNS = (
    "anonymous", "garbage", "expired", "ended", "deactivated", "user", "other", "superuser", "browser", "tokenless",
    "forged", "lured", "impersonator", "key", "narrow",
)  # fmt: skip
"""Who asks. Four are browsers: Ada's at a page of ours, without the token of a form, at a foreign page; and a
visitor's at a foreign page. The impersonator is Grace, in Ada's name. The last two are machines: API keys of
Ada's with every scope that a key may have, bound to her organization, and with one that opens nearly nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """What the file says of one route: what it asks for, the status for each column, how it is asked."""

    name: str
    needs: str
    statuses: Mapping[str, int]
    body: Mapping[str, Any] | None
    form: Mapping[str, str] | None

    @property
    def method(self) -> str:
        return self.name.split(" ")[0]

    @property
    def path(self) -> str:
        return self.name.split(" ")[1]


def read_table() -> dict[str, Row]:
    """Return the rows of the file by `METHOD path`."""
    given = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    assert tuple(given["columns"]) == COLUMNS
    rows = {}
    for name, (needs, *statuses) in given["routes"].items():
        columns = dict(zip(COLUMNS, statuses, strict=True))
        rows[name] = Row(name, needs, columns, given["bodies"].get(name), given["forms"].get(name))
    return rows
