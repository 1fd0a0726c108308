"""What the token engines contribute to the application."""

from datetime import timedelta

from portico.feature import Feature
from portico.messaging import Schedule
from portico.tokens.jobs import sweep_tokens
from portico.tokens.settings import TokensSettings


def tokens_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="tokens",
        settings=TokensSettings,
        schedules=[Schedule(sweep_tokens, every=timedelta(hours=1))],
    )
