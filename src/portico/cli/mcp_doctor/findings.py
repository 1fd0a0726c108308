"""What the doctor has found at one step: what was expected and by which rule, what came, and what mends it."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    ODD = "odd"
    """Clients get on with it, but it is not as it should be."""
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Odd:
    """What a step returns that clients get over."""

    came: str
    mends: str = ""


class Broken(Exception):
    """What a step raises where a client gives up; `mends` names what to change, on a Portico by its setting."""

    def __init__(self, came: str, mends: str = "") -> None:
        super().__init__(came)
        self.came = came
        self.mends = mends


class Stopped(Exception):
    """The walk ends here because it was asked to; the rest is skipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report."""

    step: str
    title: str
    status: Status
    expected: str
    source: str
    came: str
    mends: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """How one client fared."""

    profile: str
    title: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Tell whether nothing failed."""
        return all(finding.status is not Status.FAILED for finding in self.findings)

    def as_document(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "profile": self.profile,
            "title": self.title,
            "passed": self.passed,
            "steps": [asdict(finding) for finding in self.findings],
        }
