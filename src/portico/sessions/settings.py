"""Settings of sessions, read as `PORTICO_SESSIONS__*`."""

from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from portico.core.settings import FeatureSettings
from portico.sessions.types import SessionLimitPolicy


class SessionsSettings(FeatureSettings):
    """How long sessions last, how many there may be, and what is told about them."""

    access_token_ttl: timedelta = Field(timedelta(minutes=15), ge=timedelta(minutes=1), le=timedelta(hours=1))
    """How long an access token is good for; it dies earlier when its session ends."""
    idle: timedelta = Field(timedelta(days=7), ge=timedelta(minutes=5), le=timedelta(days=365))
    """API sessions: how long one may rest between two refreshes (ASVS 5.0 V7.3.1)."""
    absolute: timedelta = Field(timedelta(days=30), ge=timedelta(minutes=5), le=timedelta(days=365))
    """API sessions: the age at which one ends whatever happens (ASVS 5.0 V7.3.2; NIST SP 800-63B-4, AAL1)."""
    page_idle: timedelta = Field(timedelta(days=1), ge=timedelta(minutes=5), le=timedelta(days=30))
    """Browser sessions: how long one may rest between two pages."""
    page_absolute: timedelta = Field(timedelta(days=14), ge=timedelta(minutes=5), le=timedelta(days=365))
    """Browser sessions: the age at which one ends."""
    refresh_grace_seconds: int = Field(10, ge=0, le=60)
    """For how long the loser of a refresh race gets the winner's token again; 0 refuses every second use."""
    max_sessions_per_user: int = Field(50, ge=1, le=1000)
    """How many live sessions one person may have."""
    on_limit: SessionLimitPolicy = SessionLimitPolicy.END_OLDEST
    """At the limit: `end_oldest` ends the session that rested longest, `refuse` refuses the sign-in."""
    notify_new_device: bool = True
    """Mail the person once when a device signs in that was not seen before (ASVS 5.0 V6.3.5)."""
    impersonation_ttl: timedelta = Field(
        timedelta(minutes=30), ge=timedelta(minutes=1), le=timedelta(minutes=30)
    )
    """How long somebody of support may act in a person's name, at most."""
    notify_impersonation: bool = True
    """Mail the person when somebody begins to act in his name."""
    keep_impersonations_days: int = Field(180, ge=1, le=3650)
    """How long it is kept who acted in a person's name; the person finds it in his export."""
    geoip_database: Path | None = None
    """A GeoLite2 or GeoIP2 City database; without it sessions show no place."""
    keep_ended_days: int = Field(30, ge=1, le=3650)
    """How long the row of an ended session is kept."""
    cached_credentials: int = Field(20_000, ge=1, le=1_000_000)
    """Verified tokens and cookies that each process remembers, about 2 kB each."""

    @model_validator(mode="after")
    def _absolute_outlasts_idle(self) -> Self:
        if self.absolute < self.idle or self.page_absolute < self.page_idle:
            raise ValueError("an absolute limit must not be shorter than its idle limit")
        return self

    @property
    def refresh_grace(self) -> timedelta:
        """Return the grace window."""
        return timedelta(seconds=self.refresh_grace_seconds)
