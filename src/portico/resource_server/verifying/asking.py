"""Asks the authorization server about a token (RFC 7662), and believes the answer for a moment.

For opaque tokens, and for whoever wants a revocation to hold within seconds at a remote resource. The answer is held
to the same demands as a signed token: issuer, audience, times.
"""

import base64
import hashlib
from collections import OrderedDict
from datetime import datetime
from typing import Final
from urllib.parse import quote_plus, urlencode

from portico.core.clock import Clock
from portico.outbound import OutboundRequest
from portico.resource_server.errors import TokenInvalid
from portico.resource_server.types import IntrospectionClient, TokenFault, TokenHolder
from portico.resource_server.verifying.claims import Demands, holder_of
from portico.resource_server.verifying.discovery import RemoteServer

MAX_BELIEVED: Final = 10_000
FORM: Final = "application/x-www-form-urlencoded"


class AskingVerifier:
    """Verifies by introspection. Only good answers are remembered: what was unknown may be good a moment later."""

    def __init__(
        self, server: RemoteServer, client: IntrospectionClient, demands: Demands, clock: Clock
    ) -> None:
        self._server = server
        self._client = client
        self._demands = demands
        self._clock = clock
        self._believed: OrderedDict[bytes, tuple[TokenHolder, datetime]] = OrderedDict()

    async def verify(self, token: str) -> TokenHolder:
        """Return the holder of a token that is active.

        Raises:
            TokenInvalid: it is not, or not for us.
            ServerUnavailable: the server cannot be asked.
        """
        key = hashlib.sha256(token.encode()).digest()
        now = self._clock.now()
        known = self._believed.get(key)
        if known is not None and now < known[1]:
            self._believed.move_to_end(key)
            return known[0]
        self._believed.pop(key, None)
        holder = await self._asked(token)
        self._keep(key, holder)
        return holder

    async def _asked(self, token: str) -> TokenHolder:
        endpoint = (await self._server.metadata()).introspection_endpoint
        if endpoint is None:
            raise self._server.unusable(self._server.issuer, "has no introspection_endpoint")
        request = OutboundRequest(
            target=self._server.target(endpoint),
            method="POST",
            headers={"Accept": "application/json", "Content-Type": FORM, "Authorization": self._basic()},
            body=urlencode({"token": token, "token_type_hint": "access_token"}).encode(),
        )
        answer = self._server.read_json(endpoint, await self._server.send(request))
        if answer.get("active") is not True:
            raise TokenInvalid(TokenFault.ENDED)
        # `iss` is optional in the answer (RFC 7662, section 2.2): who answers is who was found by that issuer.
        return holder_of({"iss": self._demands.issuer, **answer}, self._demands, self._clock.now())

    def _basic(self) -> str:
        """Return the credentials, both halves percent-encoded before they are joined (RFC 6749, section 2.3.1)."""
        pair = f"{quote_plus(self._client.client_id)}:{quote_plus(self._client.secret)}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    def _keep(self, key: bytes, holder: TokenHolder) -> None:
        until = min(holder.expires_at, self._clock.now() + self._client.believed_for)
        while len(self._believed) >= MAX_BELIEVED:
            self._believed.popitem(last=False)
        self._believed[key] = holder, until
