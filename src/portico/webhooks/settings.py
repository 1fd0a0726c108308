"""Settings of webhooks, read as `PORTICO_WEBHOOKS__*`."""

from datetime import timedelta
from typing import Any

from pydantic import Field, field_validator

from portico.core.settings import FeatureSettings, duration_of


class WebhooksSettings(FeatureSettings):
    """How events reach the endpoints of others."""

    retry_after: tuple[timedelta, ...] = Field(
        (
            timedelta(seconds=5),
            timedelta(minutes=5),
            timedelta(minutes=30),
            timedelta(hours=2),
            timedelta(hours=5),
            timedelta(hours=10),
            timedelta(hours=14),
            timedelta(hours=20),
            timedelta(hours=24),
        ),
        max_length=30,
    )
    """The waits after each failed attempt of a message, up to a tenth longer by chance; after the last one it has
    failed. Written `["5s", "5m", "30m"]`."""
    timeout: timedelta = Field(timedelta(seconds=15), gt=timedelta(0), le=timedelta(minutes=1))
    """How long a receiver may take to answer; at most `outbound.timeout`."""
    at_once: int = Field(5, ge=1, le=100)
    """How many messages are on their way to one endpoint at the same time."""
    disable_after: timedelta = Field(timedelta(days=5), ge=timedelta(minutes=1))
    """An endpoint that took nothing for so long is switched off, and administrators are told by mail."""
    secret_overlap: timedelta = Field(timedelta(days=1), ge=timedelta(0), le=timedelta(days=30))
    """For how long after a change of the secret messages carry signatures under both."""
    keep: timedelta = Field(timedelta(days=30), ge=timedelta(days=1))
    """How long deliveries that are over stay in the log."""
    keep_answer_bytes: int = Field(4_096, ge=0, le=65_536)
    """How much of each answer's body the log keeps; no more than that is read."""
    allow_http: bool | None = None
    """Take endpoints without TLS. Default: in development only."""

    @field_validator("retry_after", mode="before")
    @classmethod
    def _read_waits(cls, value: Any) -> Any:
        return [duration_of(each) if isinstance(each, str) else each for each in value]
