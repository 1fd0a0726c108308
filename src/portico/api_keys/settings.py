"""Settings of API keys, read as `PORTICO_API_KEYS__*`."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from portico.core.settings import FeatureSettings

LONGEST_OVERLAP = timedelta(days=7)


class ApiKeysSettings(FeatureSettings):
    """How long keys are good, how many there may be, and what is told about them."""

    default_age: timedelta = Field(timedelta(days=90), ge=timedelta(hours=1))
    """How long a key is good if whoever makes it does not say."""
    max_age: timedelta = Field(timedelta(days=365), ge=timedelta(hours=1), le=timedelta(days=3650))
    """How long a key may be good at most; there is none without an end (ASVS 5.0 V13.3.4)."""
    overlap: timedelta = Field(timedelta(days=1), ge=timedelta(0), le=LONGEST_OVERLAP)
    """How long the old key stays good after a rotation, if whoever rotates it does not say; at most 7 days."""
    max_keys: int = Field(50, ge=1, le=10_000)
    """How many living keys one person, service account or organization may have."""
    max_service_accounts: int = Field(100, ge=1, le=10_000)
    """How many service accounts an organization may have."""
    remind_before: tuple[timedelta, ...] = Field((timedelta(days=14), timedelta(days=3)), max_length=5)
    """How long before its end whoever is responsible for a key is reminded by mail, each time once."""
    notify_new_key: bool = True
    """Mail the person when a key is made that acts in his name."""
    keep_dead: timedelta = Field(timedelta(days=90), ge=timedelta(days=1))
    """How long a key that is over stays in the lists."""
    cached_keys: int = Field(20_000, ge=1, le=1_000_000)
    """Verified keys that each process remembers, about 2 kB each."""

    @model_validator(mode="after")
    def _default_is_allowed(self) -> Self:
        if self.default_age > self.max_age:
            raise ValueError("default_age must not be longer than max_age")
        return self
