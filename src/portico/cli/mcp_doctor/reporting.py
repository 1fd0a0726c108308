"""Shows reports: in the terminal, a line a step and what mends it below; or as JSON for programs."""

import json
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from portico.cli.mcp_doctor.findings import Finding, Report, Status

SIGNS: Final = {
    Status.PASSED: ("✓", "green"),
    Status.ODD: ("!", "yellow"),
    Status.FAILED: ("✗", "red"),
    Status.SKIPPED: ("-", "dim"),
}
WIDEST: Final = 34


def show_reports(reports: Sequence[Report], console: Console) -> None:
    """Print a block a client."""
    for report in reports:
        console.print(Text(f"\n{report.title} ({report.profile})", style="bold"))
        for finding in report.findings:
            _show(finding, console)
    failed = [report.title for report in reports if not report.passed]
    verdict = f"{', '.join(failed)} cannot connect" if failed else "no step failed"
    console.print(Text(f"\n{verdict}", style="bold red" if failed else "bold green"))


def reports_as_json(url: str, reports: Sequence[Report]) -> str:
    """Return them for programs."""
    document = {
        "url": url,
        "passed": all(report.passed for report in reports),
        "profiles": [report.as_document() for report in reports],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _show(finding: Finding, console: Console) -> None:
    sign, style = SIGNS[finding.status]
    # Texts of servers are shown as texts: no markup of theirs is obeyed, and no line is broken.
    line = Text.assemble((sign, style), f" {finding.title:<{WIDEST}} ", finding.came)
    console.print(line, soft_wrap=True)
    if finding.status in {Status.FAILED, Status.ODD}:
        console.print(
            Text(f"    expected  {finding.expected} ({finding.source})", style="dim"), soft_wrap=True
        )
    if finding.mends:
        console.print(Text(f"    mend it   {finding.mends}", style="cyan"), soft_wrap=True)
