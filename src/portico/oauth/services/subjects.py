"""Under which name a client knows a person (OpenID Connect Core 1.0, section 8)."""

from uuid import UUID

from portico.oauth.protocol.oidc_pairwise import pairwise_subject, sector_of
from portico.oauth.services.clients import Client
from portico.runtime import Runtime

PAIRWISE_KEY = "oauth.pairwise"


def subject_of(runtime: Runtime, client: Client, user_id: UUID) -> str:
    """Return the id of the person, or for clients that asked for it one that no other sector sees."""
    if client.metadata.subject_type != "pairwise":
        return str(user_id)
    metadata = client.metadata
    sector = sector_of(metadata.redirect_uris, metadata.sector_identifier_uri, client.client_id)
    return pairwise_subject(runtime.lasting.key(PAIRWISE_KEY), sector, str(user_id))
