"""Settings of alerts, read as `PORTICO_ALERTS__*`."""

from datetime import timedelta

from pydantic import Field

from portico.core.settings import FeatureSettings, SettingsGroup


class RuleSettings(SettingsGroup):
    """What a deployment wants other than a rule declares; what is not given stays."""

    enabled: bool = True
    """Whether the rule speaks at all."""
    threshold: int | None = Field(None, ge=1, le=1_000)
    """How many within the window are too many."""
    window: timedelta | None = Field(None, ge=timedelta(seconds=1), le=timedelta(days=400))
    """How far back it looks, and how long an alert may rest and still be the same one."""
    mail: bool = True
    """Whether it mails; the alert is raised all the same."""


class AlertsSettings(FeatureSettings):
    """Which rules speak, how often people are mailed, and how long alerts are kept."""

    rules: dict[str, RuleSettings] = Field(default_factory=dict)
    """Rules by name: `PORTICO_ALERTS__RULES__FAILED_SIGN_INS__THRESHOLD=20`, `…__WINDOW=30m`, `…__ENABLED=false`,
    `…__MAIL=false`."""
    mail_gap: timedelta = Field(timedelta(minutes=15), ge=timedelta(0), le=timedelta(days=1))
    """The first alert is mailed at once; what comes within this time after a mail is told together, in the next."""
    longest: timedelta = Field(timedelta(days=1), ge=timedelta(minutes=1), le=timedelta(days=30))
    """An alert that goes on for so long is raised anew."""
    keep: timedelta = Field(timedelta(days=400), ge=timedelta(days=1))
    """How long alerts stay after they were last heard of."""
    lag_limit: timedelta = Field(timedelta(minutes=5), ge=timedelta(seconds=5))
    """How long an entry may wait to be looked at before health calls it wrong."""
