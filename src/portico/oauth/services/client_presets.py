"""What a client of each kind begins with; whatever is said of it besides takes the place of what stands here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from portico.oauth.protocol.rfc7591_registration import (
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    REFRESH_TOKEN,
)
from portico.oauth.types import AuthMethod, ClientKind, ClientPolicy, GrantType, Profile

ASKED = (GrantType.AUTHORIZATION_CODE.value, REFRESH_TOKEN)


@dataclass(frozen=True, slots=True)
class Preset:
    """Members of the metadata (RFC 7591), and what we decide."""

    metadata: Mapping[str, Any]
    policy: ClientPolicy = field(default_factory=ClientPolicy)


def _preset(method: AuthMethod, *grant_types: str, **metadata: Any) -> Preset:
    return Preset({"token_endpoint_auth_method": method.value, "grant_types": list(grant_types), **metadata})


PRESETS: Mapping[ClientKind, Preset] = {
    ClientKind.BROWSER: _preset(AuthMethod.NONE, *ASKED),
    ClientKind.NATIVE: _preset(AuthMethod.NONE, *ASKED, application_type="native"),
    ClientKind.SERVER: _preset(AuthMethod.BASIC, *ASKED),
    ClientKind.DEVICE: _preset(AuthMethod.NONE, DEVICE_CODE, REFRESH_TOKEN),
    ClientKind.MACHINE: _preset(AuthMethod.BASIC, CLIENT_CREDENTIALS),
    ClientKind.MCP: _preset(AuthMethod.NONE, *ASKED),
    ClientKind.FAPI: Preset(
        {
            "token_endpoint_auth_method": AuthMethod.PRIVATE_KEY_JWT.value,
            "grant_types": list(ASKED),
            "id_token_signed_response_alg": "ES256",
            "require_pushed_authorization_requests": True,
            "dpop_bound_access_tokens": True,
        },
        ClientPolicy(profile=Profile.FAPI2),
    ),
}
"""Every client proves by PKCE that it is still the one that asked; those without a secret have no other proof."""

PLAIN = Preset({})
"""Of a client of no kind: what RFC 7591, section 2, says where nothing is said."""


def preset_of(kind: ClientKind | None) -> Preset:
    """Return what a client of this kind begins with."""
    return PLAIN if kind is None else PRESETS[kind]
