"""What the pages of the reference are made of: pages, tables, code, first paragraphs. No Portico in here."""

import inspect
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any

NOTE = "<!-- Written by `python scripts/references.py` from the code; do not edit by hand. -->\n"


def page(title: str, intro: str, *parts: str) -> str:
    """Return a Markdown page."""
    return "\n".join([NOTE, f"# {title}\n", intro.strip() + "\n", *parts]).rstrip() + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(cell(text) for text in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """Return the text on one line, with bars that do not end the cell."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """Return the text as code, or nothing for none."""
    return f"`{text}`" if text else ""


def described(thing: Any) -> str:
    """Return the docstring's first paragraph."""
    return cell(inspect.cleandoc(thing.__doc__ or "").partition("\n\n")[0])


def titled(name: str) -> str:
    """Return the name of a feature or group as a heading."""
    return name.replace("_", " ").capitalize()


def is_union(kind: Any) -> bool:
    """Tell whether a type is `A | B`, however it was written."""
    return typing.get_origin(kind) in {typing.Union, types.UnionType}
