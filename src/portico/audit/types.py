"""Words of the trail."""

from enum import StrEnum


class Outcome(StrEnum):
    """How the act ended."""

    SUCCESS = "success"
    REFUSED = "refused"
    FAILED = "failed"
