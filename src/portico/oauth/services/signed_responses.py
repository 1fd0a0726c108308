"""Authorization responses as JWTs that the client can verify (JARM; row 22.1)."""

from collections.abc import Mapping

from portico.keys.services import Keyring
from portico.keys.types import KeyPurpose
from portico.oauth.pipeline.asks import Ask
from portico.oauth.protocol.jarm_response_modes import response_claims
from portico.oauth.services.clients import Client
from portico.oauth.services.id_tokens import signing_purpose

JWT_TYPE = "JWT"
"""JARM names none. Nobody takes an answer for an ID token: it names no subject."""


def purpose_of_responses(client: Client) -> KeyPurpose:
    """Return which keys sign the answers to a client: those of ID tokens (JARM, section 3: RS256 if none is named)."""
    return signing_purpose(client, client.metadata.authorization_signed_response_alg)


def signed_response(ask: Ask, parameters: Mapping[str, str]) -> str:
    """Return an answer as one JWT; there must be a key, see `response_mode_is_offered`."""
    claims = response_claims(
        parameters,
        issuer=ask.runtime.settings.public_url,
        client_id=ask.client.client_id,
        now=ask.now.timestamp(),
    )
    purpose = purpose_of_responses(ask.client)
    return ask.runtime.get(Keyring).sign(claims, purpose=purpose, typ=JWT_TYPE)
