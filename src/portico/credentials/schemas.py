"""Shapes of sign-up and of changes of the password."""

from pydantic import Field, SecretStr

from portico.http.schemas import RequestModel
from portico.users.schemas import MAX_EMAIL, MAX_PASSWORD, MAX_TOKEN

MAX_INVITATION = 100


class RegistrationRequest(RequestModel):
    """Who wants an account. No field decides about roles, status or proof."""

    email: str = Field(min_length=1, max_length=MAX_EMAIL)
    password: SecretStr = Field(min_length=1, max_length=MAX_PASSWORD)
    """At most 1,024 bytes; all of Unicode, spaces included."""
    username: str | None = Field(None, max_length=64)
    """3 to 32 letters of one alphabet, digits, and single `.`, `_`, `-` between them."""
    full_name: str | None = Field(None, max_length=200)
    invitation: SecretStr | None = Field(None, min_length=1, max_length=MAX_INVITATION)
    """A registration token where sign-up is by invitation, or the token of an organization's invitation: then `email`
    is the address that it was sent to, and counts as proven."""
    locale: str | None = Field(None, max_length=16)
    """One of the languages of the deployment; default: its first."""


class SetupRequest(RequestModel):
    """The first administrator."""

    token: SecretStr = Field(min_length=1, max_length=MAX_TOKEN)
    """From the link that the server printed at its start."""
    email: str = Field(min_length=1, max_length=MAX_EMAIL)
    password: SecretStr = Field(min_length=1, max_length=MAX_PASSWORD)
    username: str | None = Field(None, max_length=64)
    full_name: str | None = Field(None, max_length=200)
    locale: str | None = Field(None, max_length=16)


class PasswordChangeRequest(RequestModel):
    """The password of now and the one to come."""

    current_password: SecretStr = Field(min_length=1, max_length=MAX_PASSWORD)
    new_password: SecretStr = Field(min_length=1, max_length=MAX_PASSWORD)


class PasswordForgotRequest(RequestModel):
    """Whose password is forgotten."""

    email: str = Field(min_length=1, max_length=MAX_EMAIL)


class PasswordResetRequest(RequestModel):
    """The link's token, or the address together with the code; and the new password."""

    token: SecretStr | None = Field(None, min_length=1, max_length=MAX_TOKEN)
    email: str | None = Field(None, min_length=1, max_length=MAX_EMAIL)
    code: SecretStr | None = Field(None, min_length=1, max_length=20)
    new_password: SecretStr = Field(min_length=1, max_length=MAX_PASSWORD)
