"""Prints which rows of the bars have tests, and which have none: `python -m tests.bar` (`make bar`).

The rows stand in `bar_rows.toml`; a test names those it proves with `@pytest.mark.bar("P5", "CHECK-8")`. The
suite is collected, not run: the list says what is tested, and `make test` says whether it holds.
"""

import argparse
import contextlib
import difflib
import io
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROWS = Path(__file__).with_name("bar_rows.toml")


@dataclass(frozen=True, slots=True)
class Bars:
    """The committed rows: titles by id, for each bar; and further ids of the same row."""

    titles: Mapping[str, Mapping[str, str]]
    aliases: Mapping[str, str]

    @classmethod
    def load(cls) -> "Bars":
        """Read `bar_rows.toml`."""
        tables = tomllib.loads(ROWS.read_text())
        return cls(aliases=tables.pop("aliases"), titles=tables)

    @property
    def ids(self) -> set[str]:
        """All ids that a test may name."""
        return {row for rows in self.titles.values() for row in rows} | set(self.aliases)

    def unknown(self, used: Iterable[str]) -> list[str]:
        """Return the ids that are no row, each with the nearest one that is."""
        wrong = sorted(set(used) - self.ids)
        nearest = [difflib.get_close_matches(one, self.ids, n=1) for one in wrong]
        return [
            f"{one} (meant {match[0]}?)" if match else one for one, match in zip(wrong, nearest, strict=True)
        ]


@dataclass(slots=True, eq=False)
class Collector:
    """A pytest plug-in that notes which test names which row."""

    tests: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Note the rows of one test; the parameters of a test do not count as tests of their own."""
        for mark in item.iter_markers("bar"):
            for row in mark.args:
                name = item.nodeid.partition("[")[0]
                if name not in self.tests[row]:
                    self.tests[row].append(name)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected."""
        if report.failed:
            self.errors.append(f"{report.nodeid}\n{report.longrepr}")


def collect() -> Collector:
    """Collect the whole suite, the lanes that do not run by default too."""
    collector = Collector()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = pytest.main(["--collect-only", "-q", "-m", "", str(ROWS.parent)], plugins=[collector])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and not collector.errors:
        collector.errors.append(said.getvalue())
    return collector


def report(bars: Bars, tests: Mapping[str, Sequence[str]], *, only_missing: bool) -> Iterable[str]:
    """Yield the lines: each row with its number of tests, then the counts for each bar."""
    counts = []
    for bar, titles in bars.titles.items():
        proved = {row: _tests_of(row, bars, tests) for row in titles}
        counts.append((bar, sum(map(bool, proved.values())), len(titles)))
        yield f"\n{bar}"
        for row, title in titles.items():
            if not (proved[row] and only_missing):
                yield f"  {len(proved[row]) or '-':>3}  {row:<20} {title}"
    yield ""
    for bar, having, total in counts:
        yield f"{bar:<12} {having:>4} of {total:>4} rows have tests, {total - having:>4} have none"


def _tests_of(row: str, bars: Bars, tests: Mapping[str, Sequence[str]]) -> set[str]:
    ids = [row, *(alias for alias, meant in bars.aliases.items() if meant == row)]
    return {test for one in ids for test in tests.get(one, ())}


def main() -> int:
    """Print the report; exit status 1 if an id is unknown or something could not be collected."""
    arguments = argparse.ArgumentParser(prog="python -m tests.bar", description="Which rows have tests?")
    arguments.add_argument("--missing", action="store_true", help="list only the rows without one")
    only_missing = arguments.parse_args().missing
    bars, collector = Bars.load(), collect()
    for line in report(bars, collector.tests, only_missing=only_missing):
        print(line)
    for error in collector.errors:
        print(f"not collected: {error}", file=sys.stderr)
    for wrong in bars.unknown(collector.tests):
        print(f"no such row: {wrong}", file=sys.stderr)
    return int(bool(collector.errors or bars.unknown(collector.tests)))


if __name__ == "__main__":
    sys.exit(main())
