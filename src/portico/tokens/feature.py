"""What the token engines contribute to the application."""

from datetime import timedelta

from portico.feature import Feature
from portico.keys.types import SealedColumn
from portico.messaging import Schedule
from portico.tokens.jobs import sweep_tokens
from portico.tokens.models import OneTimeToken
from portico.tokens.services.one_time_tokens import PAYLOAD_KEY
from portico.tokens.settings import TokensSettings

PAYLOAD = SealedColumn(
    column=OneTimeToken.sealed_payload,
    key=OneTimeToken.id,
    purpose=PAYLOAD_KEY,
    context=lambda token_id: token_id.bytes,
)


def tokens_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="tokens",
        settings=TokensSettings,
        contributes={SealedColumn: [PAYLOAD]},
        schedules=[Schedule(sweep_tokens, every=timedelta(hours=1))],
    )
