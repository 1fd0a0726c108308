"""Leave to register clients."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from portico.http.schemas import RequestModel, ResponseModel
from portico.oauth.schemas.values import Name
from portico.oauth.services.initial_tokens import InitialToken


class CreateInitialTokenRequest(RequestModel):
    """Leave for somebody to register clients."""

    name: Name
    """Who gets it, or what for."""
    uses: int | None = Field(None, ge=1, le=1_000_000)
    """How many clients may be registered with it; without a number as many as one likes while it lives."""
    lifetime_hours: int = Field(168, ge=1, le=8_760)
    """How long it is good."""


class InitialTokenResponse(ResponseModel):
    """An initial access token without its text."""

    id: UUID
    name: str
    uses_left: int | None
    created_at: datetime
    expires_at: datetime


class InitialTokensResponse(ResponseModel):
    """Those that are still good, the newest first."""

    data: list[InitialTokenResponse]


class IssuedInitialTokenResponse(InitialTokenResponse):
    """A new one; `token` is its text, shown this once."""

    token: str

    @classmethod
    def issued(cls, made: InitialToken) -> Self:
        """Return what its maker gets to see."""
        return cls(**InitialTokenResponse.model_validate(made).model_dump(), token=made.text or "")
