"""Words of mail."""

from enum import StrEnum


class MailStatus(StrEnum):
    """Where a message stands."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
