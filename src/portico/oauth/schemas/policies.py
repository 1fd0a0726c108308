"""What is decided of a client, as it is sent and shown."""

from typing import Annotated, Any

from pydantic import Field

from portico.http.schemas import RequestModel, ResponseModel
from portico.oauth.schemas.values import Format, RefreshSeconds, TokenSeconds, Urls
from portico.oauth.types import Profile, TokenFormat


class OrganizationPolicyMembers(RequestModel):
    """What an organization decides of its own client; null brings back what everybody has."""

    claims_in_id_token: bool | None = None
    """Whether the ID token also has what scopes ask for, for clients that read nothing else."""
    token_format: Format | None = None
    """`jwt`, which APIs read by themselves, or `opaque`, which they ask about."""
    access_token_seconds: TokenSeconds | None = None
    refresh_idle_seconds: RefreshSeconds | None = None
    """How long a refresh token is good that nobody uses."""
    refresh_absolute_seconds: RefreshSeconds | None = None
    """How long a line of refresh tokens is good at most."""
    profile: Annotated[Profile, Field(strict=False)] | None = None
    """`fapi2` holds it to the FAPI 2.0 Security Profile."""

    def sent(self) -> dict[str, Any]:
        """Return the fields that the request names."""
        return self.model_dump(exclude_unset=True)


class PolicyMembers(OrganizationPolicyMembers):
    """What an administrator decides of a client; null brings back what everybody has."""

    requires_pkce: bool | None = None
    """Off only for clients with a secret or key that check a nonce instead (OAuth 2.1, section 7.5.2)."""
    is_trusted: bool | None = None
    """The team's own: nobody is asked for consent."""
    accepts_legacy_audience: bool | None = None
    """Its assertions may name the token endpoint instead of the issuer."""
    resources: Urls | None = None
    """The APIs that it may ask tokens for; null: every one."""
    exchanges_to: Urls | None = None
    """Audiences for which it may exchange others' tokens."""


class PolicyResponse(ResponseModel):
    """What is decided of a client, whatever it says of itself."""

    requires_pkce: bool
    is_trusted: bool
    claims_in_id_token: bool
    token_format: TokenFormat
    access_token_seconds: int | None
    refresh_idle_seconds: int | None
    refresh_absolute_seconds: int | None
    accepts_legacy_audience: bool
    profile: Profile
    resources: list[str] | None
    exchanges_to: list[str]
