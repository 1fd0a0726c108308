"""Authorization requests that clients push before they send a browser (RFC 9126)."""

from typing import Any

from portico.core import failpoints
from portico.core.ids import new_id
from portico.oauth.pipeline.asks import Ask
from portico.oauth.pipeline.parameters import SIGNED, Parameters
from portico.oauth.repositories import RequestRepository
from portico.oauth.services.once import spend
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import REQUEST_URI_PREFIX, REQUESTS, RequestKind

PROOFS = ("client_secret", "client_assertion", "client_assertion_type")
"""Parameters by which the client proves itself; no part of the request (section 2.1)."""


async def push_request(ask: Ask) -> dict[str, Any]:
    """Keep a checked request under a name that only its client can use, and return that name (section 2.2).

    The name is good until a browser has brought back an answer, and no longer than the setting says: people reload
    pages, and sign in on the way (row 13.1).

    Raises:
        Refused: the assertion or proof that came with it was shown before.
    """
    secret = REQUESTS.make(ask.runtime.entropy)
    lifetime = ask.runtime.section(OAuthSettings).request_lifetime
    async with ask.unit:
        await spend(ask.unit, ask.once)
        if failpoints.armed:
            await failpoints.reach("oauth.pushed_request.before_write")
        await RequestRepository(ask.unit.session).add_request(
            id=new_id(),
            kind=RequestKind.PUSHED,
            client_key=ask.client.key,
            secret_hash=REQUESTS.hash_of(secret),
            parameters=[list(pair) for pair in _kept(ask).pairs],
            jkt=ask.sender.jkt,
            created_at=ask.now,
            expires_at=ask.now + lifetime,
            spent_at=None,
        )
    return {"request_uri": REQUEST_URI_PREFIX + secret, "expires_in": int(lifetime.total_seconds())}


def _kept(ask: Ask) -> Parameters:
    """Return what the authorization endpoint will read; a client may have named itself by its header alone."""
    named = {"client_id": ask.client.client_id}
    return ask.given.without(*PROOFS).merged({**named, SIGNED: "yes"} if ask.is_signed else named)
