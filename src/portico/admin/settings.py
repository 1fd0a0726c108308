"""Settings of the admin API, read as `PORTICO_ADMIN__*`."""

from datetime import timedelta

from pydantic import Field

from portico.core.settings import FeatureSettings


class AdminSettings(FeatureSettings):
    """What administrators do."""

    welcome_ttl: timedelta = Field(timedelta(days=3), ge=timedelta(minutes=5), le=timedelta(days=30))
    """How long the link is good by which a person whom an administrator added chooses a password."""
    remember_totals: timedelta = Field(timedelta(seconds=10), ge=timedelta(0), le=timedelta(minutes=10))
    """For how long the total of a long list is told again without counting; short lists are always counted."""
