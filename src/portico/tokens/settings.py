"""Settings of the token engines."""

from datetime import timedelta

from pydantic import Field

from portico.core.settings import FeatureSettings


class TokensSettings(FeatureSettings):
    """One-time tokens and families of refresh tokens."""

    code_lifetime: timedelta = Field(timedelta(minutes=10), gt=timedelta(0), le=timedelta(minutes=10))
    """How long the short code in a mail is good; the link beside it lives as long as its purpose says."""
    keep_ended: timedelta = Field(timedelta(days=7), ge=timedelta(0))
    """How long expired tokens and ended families stay in the database before they are swept."""
