"""Words of the authorization server."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType, Self
from uuid import UUID

from portico.tokens.secret_format import SecretFormat
from portico.tokens.types import Secret

ClientKey = NewType("ClientKey", UUID)
"""The principal id of a client; `client_id` is the text that protocols speak of."""

GrantId = NewType("GrantId", UUID)

CODES = SecretFormat("pcd_")
DEVICE_CODES = SecretFormat("pdc_")
CLIENT_SECRETS = SecretFormat("pcs_")
REGISTRATION_TOKENS = SecretFormat("prg_")
INITIAL_ACCESS_TOKENS = SecretFormat("pia_")
OPAQUE_TOKENS = SecretFormat("pot_")
REQUESTS = SecretFormat("ppr_")
REQUEST_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"
"""RFC 9126, section 2.2; what follows is a secret of `REQUESTS`."""


class GrantType(StrEnum):
    """By what a token is asked for at the token endpoint."""

    AUTHORIZATION_CODE = "authorization_code"
    REFRESH_TOKEN = "refresh_token"
    CLIENT_CREDENTIALS = "client_credentials"
    DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
    TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
    JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class AuthMethod(StrEnum):
    """How a client proves who it is (RFC 7591, section 2; RFC 8705, section 2)."""

    NONE = "none"
    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    SECRET_JWT = "client_secret_jwt"
    PRIVATE_KEY_JWT = "private_key_jwt"
    TLS = "tls_client_auth"
    SELF_SIGNED_TLS = "self_signed_tls_client_auth"


class ClientSource(StrEnum):
    """Where a client comes from."""

    ADMINISTRATOR = "administrator"
    ORGANIZATION = "organization"
    DYNAMIC = "dynamic"
    DOCUMENT = "document"


class TokenFormat(StrEnum):
    """What access tokens look like."""

    JWT = "jwt"
    OPAQUE = "opaque"


class Profile(StrEnum):
    """A set of stricter rules that a client keeps to."""

    NONE = "none"
    FAPI2 = "fapi2"


class GrantEnd(StrEnum):
    """Why a grant is over."""

    REVOKED_BY_CLIENT = "revoked_by_client"
    REVOKED_BY_PERSON = "revoked_by_person"
    REVOKED_BY_ADMINISTRATOR = "revoked_by_administrator"
    CODE_REPLAYED = "code_replayed"
    TOKEN_REPLAYED = "token_replayed"
    SIGNED_OUT = "signed_out"
    CLIENT_DISABLED = "client_disabled"
    PERSON_DISABLED = "person_disabled"
    MEMBERSHIP_ENDED = "membership_ended"
    SESSION_EXPIRED = "session_expired"


class DeviceState(StrEnum):
    """Where a device authorization stands (RFC 8628)."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    SPENT = "spent"


class ClientVerdict(StrEnum):
    """What an organization says of a client."""

    ALLOWED = "allowed"
    DENIED = "denied"
    REQUESTED = "requested"


class ClientDefault(StrEnum):
    """What an organization does with a client of which it has said nothing."""

    ALLOW = "allow"
    APPROVAL = "approval"
    """Members ask, an administrator decides."""
    DENY = "deny"


class ClientKind(StrEnum):
    """What kind of application a client is: a word for what its metadata begins with (`services.client_presets`)."""

    BROWSER = "browser"
    """Runs in the browser alone and can keep no secret."""
    NATIVE = "native"
    """Is installed: on a telephone, a desktop, a command line."""
    SERVER = "server"
    """Renders its pages on a server, which keeps a secret."""
    DEVICE = "device"
    """Has no keyboard or no browser."""
    MACHINE = "machine"
    """Acts for itself; nobody is there."""
    MCP = "mcp"
    """Speaks to MCP servers, from the web or from somebody's own machine."""
    FAPI = "fapi"
    """Keeps to the FAPI 2.0 Security Profile: proves itself by a key, and its tokens are bound to one."""


class ClientSort(StrEnum):
    """What lists of clients may be sorted by."""

    CREATED_AT = "created_at"


class Admission(StrEnum):
    """Whether a client may work in an organization."""

    ALLOWED = "allowed"
    NEEDS_APPROVAL = "needs_approval"
    ASKED = "asked"
    """Somebody asked for it; an administrator has not answered yet."""
    DENIED = "denied"


class RequestKind(StrEnum):
    """Why an authorization request was kept."""

    PUSHED = "pushed"
    PARKED = "parked"
    """Somebody has to sign in or consent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPolicy:
    """What we decide of a client, whatever it says of itself; JSON in the database, unknown members are ignored."""

    requires_pkce: bool = True
    """Off only for confidential clients that check a nonce instead (OAuth 2.1, section 7.5.2)."""
    is_trusted: bool = False
    """The team's own: nobody is asked for consent."""
    claims_in_id_token: bool = False
    """Also puts what scopes ask for into the ID token, for clients that read nothing else."""
    token_format: TokenFormat = TokenFormat.JWT
    access_token_seconds: int | None = None
    refresh_idle_seconds: int | None = None
    refresh_absolute_seconds: int | None = None
    accepts_legacy_audience: bool = False
    """Client assertions may name the token endpoint instead of the issuer."""
    profile: Profile = Profile.NONE
    resources: tuple[str, ...] | None = None
    """The resources that it may ask for; None: every one that is open."""
    exchanges_to: tuple[str, ...] = ()
    """Audiences for which it may exchange others' tokens."""

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """Read what the database keeps."""
        known = {each.name for each in fields(cls)}
        values = {name: value for name, value in document.items() if name in known}
        for name, kind in (("token_format", TokenFormat), ("profile", Profile)):
            if name in values:
                values[name] = kind(values[name])
        for name in ("resources", "exchanges_to"):
            if values.get(name) is not None:
                values[name] = tuple(values[name])
        return cls(**values)

    def as_document(self) -> dict[str, Any]:
        """Return it as the database keeps it."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFilter:
    """Which clients of a list are wanted."""

    source: ClientSource | None = None
    organization_id: UUID | None = None
    disabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret:
    """A secret that a client may show now."""

    id: UUID
    secret_hash: bytes = field(repr=False)
    expires_at: datetime | None
    sealed: bytes | None = field(default=None, repr=False)
    """The secret itself, sealed, only where assertions are signed with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderKey:
    """What tokens are bound to: a DPoP key, a TLS certificate, or neither (RFC 9449; RFC 8705)."""

    jkt: str | None = None
    x5t: str | None = None

    def __bool__(self) -> bool:
        return self.jkt is not None or self.x5t is not None

    def as_claim(self) -> dict[str, str]:
        """Return the `cnf` claim."""
        if self.jkt is not None:
            return {"jkt": self.jkt}
        return {"x5t#S256": self.x5t} if self.x5t is not None else {}


class AccessTokenText(Secret):
    """An access token as its holder keeps it."""

    __slots__ = ()
