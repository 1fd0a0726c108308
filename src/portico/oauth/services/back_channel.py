"""Telling relying parties that somebody signed out, server to server (Back-Channel Logout 1.0).

Whoever signs out waits for none of it: the telling is a job for each client, made at the moment of its delivery, so
that no token lies about that would be good for something.
"""

from collections.abc import Collection
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.keys.services import Keyring, ensure_keys
from portico.oauth.protocol.oidc_logout import LOGOUT_TOKEN_TYPE, logout_token_claims
from portico.oauth.repositories.relying_parties import RelyingParty, RelyingPartyRepository
from portico.oauth.services.clients import Client, ClientBook
from portico.oauth.services.id_tokens import purpose_of
from portico.oauth.services.subjects import subject_of
from portico.outbound import Outbound, OutboundError, OutboundRequest, Target, UrlRefused
from portico.runtime import Runtime

PATIENCE = timedelta(seconds=5)
MAX_ANSWER = 4_096
TAKEN = frozenset({200, 204})
"""Section 2.8; some frameworks answer an empty page with 204."""


class NotTold(Exception):
    """The client did not take the token; `for_good` says that it never will."""

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.for_good = for_good


async def clients_to_tell(unit: Unit, session_ids: Collection[UUID]) -> list[RelyingParty]:
    """Return the clients that want to hear of the end of these sessions, by the open transaction."""
    found = await RelyingPartyRepository(unit.session).list_of_sessions(session_ids)
    return [each for each in found if each.registered.get("backchannel_logout_uri")]


async def tell_client(runtime: Runtime, client_key: UUID, session_id: UUID, user_id: UUID) -> None:
    """Send the client a logout token; nothing happens where it is gone, or wants to hear nothing any more.

    Raises:
        NotTold: it could not be reached, or did not take the token.
    """
    client = await runtime.get(ClientBook).find_by_key(client_key)
    if client is None or client.metadata.backchannel_logout_uri is None:
        return
    token = await logout_token(runtime, client, session_id, user_id)
    try:
        request = OutboundRequest(
            target=Target.of(client.metadata.backchannel_logout_uri),
            method="POST",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode({"logout_token": token}).encode(),
            timeout=PATIENCE,
            max_answer_bytes=MAX_ANSWER,
        )
        answer = await runtime.get(Outbound).send(request)
    except OutboundError as error:
        raise NotTold(f"the client {error.reason}", for_good=isinstance(error, UrlRefused)) from None
    if answer.status not in TAKEN:
        raise NotTold(f"the client answered with status {answer.status}")


async def logout_token(runtime: Runtime, client: Client, session_id: UUID, user_id: UUID) -> str:
    """Return a logout token, signed like the ID tokens of the client (section 2.4; row 27.1)."""
    purpose = purpose_of(client)
    await ensure_keys(runtime, [purpose])
    claims = logout_token_claims(
        issuer=runtime.settings.public_url,
        client_id=client.client_id,
        jti=str(new_id()),
        now=int(runtime.clock.now().timestamp()),
        subject=subject_of(runtime, client, user_id),
        sid=str(session_id),
    )
    return runtime.get(Keyring).sign(claims, purpose=purpose, typ=LOGOUT_TOKEN_TYPE)
