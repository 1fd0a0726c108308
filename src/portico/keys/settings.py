"""Settings of signing keys."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from portico.core.settings import FeatureSettings

REFRESH_EVERY = timedelta(minutes=1)
"""How often every process looks for new keys, whether or not it heard of any."""

CLOCK_SKEW = timedelta(seconds=60)
"""How far the clocks of two nodes may be apart (RELIABILITY P21)."""


class KeysSettings(FeatureSettings):
    """Signing keys and their rotation."""

    rotation_period: timedelta = Field(timedelta(days=90), ge=timedelta(hours=1))
    """The age at which a signing key gets a successor."""
    publication_lead: timedelta = Field(timedelta(minutes=15), le=timedelta(days=7))
    """How long a new key is published before it signs; longer than anybody caches the key set."""
    jwks_max_age: timedelta = Field(timedelta(minutes=5), ge=timedelta(0))
    """How long others may cache `/.well-known/jwks.json`."""
    rsa_bits: int = Field(3072, ge=2048, le=4096, multiple_of=1024)
    """Length of new RSA keys, which sign ID tokens: 3,072 bits are as strong as our elliptic keys (ASVS 5.0, 11.2.3).

    2,048 bits sign almost three times as fast, and are what many providers use.
    """
    longest_token_life: timedelta = Field(timedelta(hours=24), ge=timedelta(minutes=1))
    """No token is signed for longer; a retired key verifies for this time after its last signature."""

    @model_validator(mode="after")
    def _published_before_used(self) -> Self:
        if self.publication_lead < self.jwks_max_age + REFRESH_EVERY + CLOCK_SKEW:
            raise ValueError(
                "publication_lead must exceed jwks_max_age by two minutes, or new keys meet old caches"
            )
        return self
