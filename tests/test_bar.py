"""The list of rows, and what the tests say they prove, agree."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.bar import Bars, report


def ids_in(source: str) -> Iterator[str]:
    """Yield the ids that `pytest.mark.bar(...)` names in a file, in lanes that do not run by default too."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr="bar", value=ast.Attribute(attr="mark")), args=arguments):
                yield from (str(word.value) for word in arguments if isinstance(word, ast.Constant))


def test_every_id_that_a_test_names_is_a_row() -> None:
    files = Path(__file__).parent.rglob("*.py")

    used = {one for file in files for one in ids_in(file.read_text())}

    assert Bars.load().unknown(used) == []


def test_misspelt_id_is_found_with_what_was_meant() -> None:
    source = '@pytest.mark.bar("ASVS-6.2.4", "CHEK-1")\ndef test_this(): ...'

    assert Bars.load().unknown(ids_in(source)) == ["CHEK-1 (meant CHECK-1?)"]


def test_bars_are_whole() -> None:
    titles = Bars.load().titles

    assert {bar: len(rows) for bar, rows in titles.items()} == {
        "security": 524,
        "reliability": 44,
        "protocols": 121,
    }
    assert all(f"CHECK-{number}" in titles["security"] for number in range(1, 26))


def test_aliases_name_rows_and_are_none_themselves() -> None:
    bars = Bars.load()
    rows = {row for titles in bars.titles.values() for row in titles}

    assert set(bars.aliases.values()) <= rows
    assert not set(bars.aliases) & rows


def test_report_counts_an_alias_for_its_row() -> None:
    bars = Bars(titles={"security": {"CVE-1": "One", "CVE-3": "Three"}}, aliases={"CVE-2": "CVE-1"})

    lines = list(report(bars, {"CVE-2": ["test_a"]}, only_missing=True))

    assert lines == [
        "\nsecurity",
        "    -  CVE-3                Three",
        "",
        "security        1 of    2 rows have tests,    1 have none",
    ]
