"""Shapes of sign-in, refresh and sessions."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, SecretStr

from portico.credentials.schemas import MAX_INVITATION
from portico.http.schemas import RequestModel, ResponseModel
from portico.sessions.types import LONGEST_REASON
from portico.users.schemas import MAX_EMAIL, MAX_TOKEN, ProfileResponse

MAX_IDENTIFIER = 320
MAX_PASSWORD = 4096
"""Characters read at all; what counts, and is told, is the limit of 1,024 bytes."""
MAX_REFRESH_TOKEN = 512


def _is_none(value: object) -> bool:
    return value is None


class LoginRequest(RequestModel):
    """Who signs in, and how the refresh token is to travel."""

    identifier: str = Field(min_length=1, max_length=MAX_IDENTIFIER)
    """E-mail address or username."""
    password: str = Field(min_length=1, max_length=MAX_PASSWORD)
    """As typed; spaces count."""
    transport: Literal["body", "cookie"] = "body"
    """`cookie` puts the refresh token into an `HttpOnly` cookie instead of the body, for pages."""


class TokenForm(RequestModel):
    """The form of the API reference's Authorize button (RFC 6749, section 4.3.2)."""

    grant_type: Literal["password"] = "password"
    username: str = Field(min_length=1, max_length=MAX_IDENTIFIER)
    password: str = Field(min_length=1, max_length=MAX_PASSWORD)
    scope: str = Field("", max_length=2000)
    client_id: str | None = Field(None, max_length=200)
    client_secret: str | None = Field(None, max_length=200)


class RefreshRequest(RequestModel):
    """The refresh token; absent where it comes by cookie, or where an access token names the session to end."""

    refresh_token: str | None = Field(None, min_length=1, max_length=MAX_REFRESH_TOKEN)


class TokensResponse(ResponseModel):
    """A new pair of tokens."""

    access_token: str
    """For `Authorization: Bearer …`."""
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int
    """Seconds until the access token expires."""
    refresh_token: Annotated[str | None, Field(exclude_if=_is_none)] = None
    """Good once, for the next pair. Missing where it travels by cookie."""


class SignedInResponse(TokensResponse):
    """Tokens, and who signed in."""

    user: ProfileResponse


class SessionResponse(ResponseModel):
    """A device on which the person is signed in."""

    id: UUID
    device_name: str
    """Such as `Firefox on Linux`, from what the device says of itself."""
    place: str | None
    """Where the sign-in came from, if known."""
    client_address: str | None
    """The network address that signed in."""
    amr: tuple[str, ...]
    """How the person was authenticated (RFC 8176)."""
    is_browser: bool
    """A session of the pages, not of the API."""
    created_at: datetime
    last_seen_at: datetime
    """To about a minute."""
    expires_at: datetime
    """When it ends if it is not used until then."""
    is_current: bool
    """The one that asks."""
    impersonated_by: UUID | None
    """Who acts in it in the person's name; none in his own."""
    impersonation_reason: str | None
    """Why, as he said himself."""


class SessionsResponse(ResponseModel):
    """The live sessions, the last used first."""

    data: list[SessionResponse]


class ImpersonationRequest(RequestModel):
    """Why, and how what it gives is to travel."""

    reason: str = Field(min_length=1, max_length=LONGEST_REASON)
    """One line, such as the number of a ticket. The person reads it."""
    transport: Literal["body", "page"] = "body"
    """`page` puts the session into the browser's cookie, for pages; there are no tokens then."""


class ImpersonationResponse(ResponseModel):
    """A session in the person's name."""

    session_id: UUID
    expires_at: datetime
    """When it ends whatever happens; earlier with the actor's own session."""
    access_token: Annotated[str | None, Field(exclude_if=_is_none)] = None
    """For `Authorization: Bearer …`; `sub` is the person, `act` the actor (RFC 8693). Missing for pages."""
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: Annotated[int | None, Field(exclude_if=_is_none)] = None
    """Seconds until the access token expires."""
    refresh_token: Annotated[str | None, Field(exclude_if=_is_none)] = None
    """Good once, for the next pair, as long as the session lasts."""


class EndedResponse(ResponseModel):
    """How many sessions ended."""

    ended: int


class PageLogin(RequestModel):
    """The form of the sign-in page."""

    username: str = Field(min_length=1, max_length=MAX_IDENTIFIER)
    password: SecretStr = Field(min_length=1, max_length=MAX_PASSWORD)
    invitation: SecretStr | None = Field(None, max_length=MAX_INVITATION)
    """Goes on to sign-up with who has no account; signing in makes nothing of it."""
    again: str | None = Field(None, max_length=1)
    """Whoever is signed in proves it once more, and his session goes on."""


class PageVerification(RequestModel):
    """The form of the page that proves an address: by link or by code, with the password or with a new one."""

    token: SecretStr | None = Field(None, min_length=1, max_length=MAX_TOKEN)
    email: str | None = Field(None, min_length=1, max_length=MAX_EMAIL)
    code: SecretStr | None = Field(None, min_length=1, max_length=20)
    password: SecretStr | None = Field(None, min_length=1, max_length=MAX_PASSWORD)
    new_password: SecretStr | None = Field(None, min_length=1, max_length=MAX_PASSWORD)


class PageSessionEnd(RequestModel):
    """The form of the button beside a device."""

    session_id: UUID
