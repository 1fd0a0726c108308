"""ID tokens: signed for one client, read again only as hints (OpenID Connect Core 1.0, sections 2 and 3.1.2.1)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from portico.keys.errors import TokenRejected
from portico.keys.services import Keyring
from portico.keys.types import ALGORITHMS, KeyPurpose
from portico.oauth.protocol.oidc_id_token import IdTokenFacts, id_token_claims
from portico.oauth.services.clients import Client
from portico.oauth.services.subjects import subject_of
from portico.oauth.settings import OAuthSettings
from portico.runtime import Runtime

ID_TOKEN_TYPE = "JWT"
PURPOSES: Mapping[str, KeyPurpose] = {
    "RS256": KeyPurpose.ID_TOKEN,
    "ES256": KeyPurpose.ID_TOKEN_ES256,
}
"""By `id_token_signed_response_alg`; RS256 is what every client understands (section 15.1)."""


def purpose_of(client: Client) -> KeyPurpose:
    """Return which keys sign the ID tokens of a client."""
    return signing_purpose(client, client.metadata.id_token_signed_response_alg)


def signing_purpose(client: Client, algorithm: str | None) -> KeyPurpose:
    """Return which keys sign what a client reads, if it registered this; FAPI takes no RS256 (FAPI 2.0, 5.4.1)."""
    default = "ES256" if client.is_fapi else "RS256"
    return PURPOSES[algorithm or default]


class IdTokens:
    """Makes and reads ID tokens; one a process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._keyring = runtime.get(Keyring)
        self._lifetime = runtime.section(OAuthSettings).id_token_lifetime

    def mint(
        self,
        client: Client,
        user_id: UUID,
        context: Mapping[str, Any],
        *,
        session_id: UUID | None,
        access_token: str | None = None,
        code: str | None = None,
        person: Mapping[str, Any] | None = None,
        is_refreshed: bool = False,
    ) -> str:
        """Return a signed ID token; `context` is that of the grant. A refreshed one repeats no nonce (section 12.2)."""
        purpose = purpose_of(client)
        facts = IdTokenFacts(
            issuer=self._runtime.settings.public_url,
            subject=subject_of(self._runtime, client, user_id),
            client_id=client.client_id,
            now=int(self._runtime.clock.now().timestamp()),
            lifetime=self._lifetime,
            algorithm=ALGORITHMS[purpose].value,
            auth_time=context.get("auth_time"),
            nonce=None if is_refreshed else context.get("nonce"),
            acr=context.get("acr"),
            amr=tuple(context.get("amr", ())),
            sid=str(session_id) if session_id is not None else None,
            access_token=access_token,
            code=code,
            person=person or {},
        )
        return self._keyring.sign(id_token_claims(facts), purpose=purpose, typ=ID_TOKEN_TYPE)

    def read_hint(self, token: str) -> dict[str, Any] | None:
        """Return the claims of an ID token that we signed, expired or not; None for anything else."""
        for purpose in PURPOSES.values():
            try:
                return self._keyring.verify(
                    token,
                    purpose=purpose,
                    typ=ID_TOKEN_TYPE,
                    audience=None,
                    issuer=self._runtime.settings.public_url,
                    takes_expired=True,
                )
            except TokenRejected:
                continue
        return None
