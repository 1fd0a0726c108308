"""Secrets of clients, without their texts but for the moment at which they are made."""

from datetime import datetime, timedelta
from uuid import UUID

from pydantic import Field

from portico.http.schemas import RequestModel, ResponseModel
from portico.oauth.models import OAuthClientSecret
from portico.oauth.services.client_secrets import IssuedSecret

LONGEST_OVERLAP_HOURS = 720


class RotateSecretRequest(RequestModel):
    """How long the secrets before stay good."""

    overlap_hours: int | None = Field(None, ge=0, le=LONGEST_OVERLAP_HOURS)
    """In hours, at most 30 days; by default a day (`oauth.secret_overlap`). 0 ends them at once."""

    def overlap(self) -> timedelta | None:
        """Return it, None for that of the settings."""
        return None if self.overlap_hours is None else timedelta(hours=self.overlap_hours)


class ClientSecretResponse(ResponseModel):
    """A secret without its text."""

    id: UUID
    hint: str
    """The beginning of its text."""
    created_at: datetime
    expires_at: datetime | None
    """Null: it has no end."""


class IssuedSecretResponse(ResponseModel):
    """A new secret; `client_secret` is its text, shown this once."""

    client_id: str
    client_secret: str
    client_secret_expires_at: int
    """When it ends, in seconds since 1970; 0 if it has no end (RFC 7591, section 3.2.1)."""
    previous_until: datetime
    """When the secrets before it end at the latest."""


def secret_of(row: OAuthClientSecret) -> ClientSecretResponse:
    """Return a secret as it is listed."""
    return ClientSecretResponse.model_validate(row)


def ends_at(issued: IssuedSecret) -> int:
    """Return when a secret ends as RFC 7591, section 3.2.1, writes it."""
    return 0 if issued.expires_at is None else int(issued.expires_at.timestamp())
