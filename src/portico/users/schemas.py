"""Shapes of people and of what proves their addresses."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import Field, SecretStr

from portico.access.types import PlatformRole
from portico.http.schemas import RequestModel, ResponseModel
from portico.users.types import Account, UserStatus

MAX_EMAIL = 320
MAX_PASSWORD = 4096
"""Characters read at all; what counts, and is told, is the limit of 1,024 bytes."""
MAX_TOKEN = 200


class ProfileResponse(ResponseModel):
    """A person, as he sees himself and as administrators see him."""

    id: UUID
    email: str
    """The primary address, as typed."""
    email_verified: bool
    """Whether the address was proven."""
    username: str | None
    full_name: str | None
    locale: str
    """Language of mails and pages."""
    timezone: str
    """IANA name."""
    status: UserStatus
    roles: tuple[PlatformRole, ...]
    """Roles over the whole deployment."""
    created_at: datetime
    updated_at: datetime
    version: int
    """Rises with each change; the `ETag`."""

    @classmethod
    def of(cls, account: Account) -> Self:
        """Show an account."""
        return cls.model_validate(account)


class ProfileUpdate(RequestModel):
    """What is to change; fields that are not sent stay as they are. Null clears, or returns to the default."""

    username: str | None = Field(None, max_length=64)
    """3 to 32 letters of one alphabet, digits, and single `.`, `_`, `-` between them."""
    full_name: str | None = Field(None, max_length=200)
    locale: str | None = Field(None, max_length=16)
    """One of the languages of the deployment."""
    timezone: str | None = Field(None, max_length=64)
    """IANA name, such as `Europe/Berlin`."""

    def sent(self) -> dict[str, Any]:
        """Return the fields that the request carried."""
        return self.model_dump(exclude_unset=True)


class AccountDeletion(RequestModel):
    """Confirms that it is the person himself; not needed right after a sign-in."""

    password: SecretStr | None = Field(None, min_length=1, max_length=MAX_PASSWORD)


class EmailProof(RequestModel):
    """The link's token, or the address together with the code."""

    token: SecretStr | None = Field(None, min_length=1, max_length=MAX_TOKEN)
    email: str | None = Field(None, min_length=1, max_length=MAX_EMAIL)
    code: SecretStr | None = Field(None, min_length=1, max_length=20)


class EmailProofResponse(ResponseModel):
    """The address that is proven now."""

    email: str
    email_verified: bool


class EmailResend(RequestModel):
    """Where to send the message again."""

    email: str = Field(min_length=1, max_length=MAX_EMAIL)


class EmailChange(RequestModel):
    """The new address, and the password where the sign-in is older than some minutes."""

    email: str = Field(min_length=1, max_length=MAX_EMAIL)
    password: SecretStr | None = Field(None, min_length=1, max_length=MAX_PASSWORD)


class AcceptedResponse(ResponseModel):
    """The same answer whatever happened: what there is to know comes by mail."""

    status: str = "accepted"
