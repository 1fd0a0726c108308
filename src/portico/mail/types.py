"""Words of mail."""

from dataclasses import dataclass
from enum import StrEnum


class MailStatus(StrEnum):
    """Where a message stands."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, repr=False)
class Content:
    """What a message says; not shown in logs, because it carries links that sign people in."""

    subject: str
    text: str
    html: str
