"""Finds the authorization server: its metadata, whose issuer must be the very text that was asked for, and its keys.

Everything is fetched through `portico.outbound`: bounded in time and size, no redirect followed, no address inside.
Sources: RFC 8414, sections 3.1 and 3.3; OpenID Connect Discovery 1.0, section 4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from portico.core.clock import Clock
from portico.oauth.protocol.json_objects import NotJson, read_json_object
from portico.oauth.protocol.uris import read_http_uri
from portico.outbound import Outbound, OutboundError, OutboundRequest, Target, UrlRefused
from portico.resource_server.errors import ServerUnavailable
from portico.resource_server.verifying.refreshing import Ages, Refreshed

METADATA_AGES: Final = Ages(fresh=timedelta(hours=1), kept=timedelta(days=1), pause=timedelta(seconds=5))
MAX_DOCUMENT: Final = 65_536
JSON: Final = {"Accept": "application/json"}

log = structlog.get_logger("portico.resource_server")


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    """What we need of the authorization server's description."""

    jwks_uri: str | None
    introspection_endpoint: str | None


class RemoteServer:
    """An authorization server elsewhere, known by its issuer."""

    def __init__(self, issuer: str, outbound: Outbound, clock: Clock) -> None:
        self.issuer = issuer
        self._outbound = outbound
        self._metadata = Refreshed(self._load_metadata, clock, METADATA_AGES)

    async def metadata(self) -> ServerMetadata:
        """Return the server's description.

        Raises:
            ServerUnavailable: it has none that can be used.
        """
        return await self._metadata.get()

    async def fetch(self, url: str) -> bytes:
        """Return the body of a good answer.

        Raises:
            ServerUnavailable: anything else.
        """
        return await self.send(OutboundRequest(target=self.target(url), headers=JSON))

    async def send(self, request: OutboundRequest) -> bytes:
        """Send a request to the server and return the body of its good answer.

        Raises:
            ServerUnavailable: it did not answer, not with 200, or with too much.
        """
        try:
            answer = await self._outbound.send(request)
        except OutboundError as error:
            raise self.unusable(request.target.url, error.reason) from None
        if answer.status != 200 or answer.is_cut or len(answer.body) > MAX_DOCUMENT:
            raise self.unusable(request.target.url, f"answers {answer.status}")
        return answer.body

    def target(self, url: str) -> Target:
        """Return where a URL of the server's leads.

        Raises:
            ServerUnavailable: it is none that we call.
        """
        try:
            return Target.of(url)
        except UrlRefused as error:
            raise self.unusable(url, error.reason) from None

    def unusable(self, url: str, reason: str) -> ServerUnavailable:
        """Log why the server is of no use now, and return what to raise."""
        log.warning("authorization_server_unusable", issuer=self.issuer, url=url[:200], reason=reason)
        return ServerUnavailable(reason)

    async def _load_metadata(self) -> ServerMetadata:
        for url in metadata_urls(self.issuer):
            try:
                body = await self.fetch(url)
            except ServerUnavailable:
                continue  # the next form of the address
            return self._read(url, body)
        raise ServerUnavailable("no metadata at any of its addresses")

    def _read(self, url: str, body: bytes) -> ServerMetadata:
        document = self.read_json(url, body)
        if document.get("issuer") != self.issuer:
            # RFC 8414, section 3.3: another issuer's document, and with it another issuer's keys, is not used.
            raise self.unusable(url, "names another issuer")
        return ServerMetadata(
            jwks_uri=self._endpoint(url, document, "jwks_uri"),
            introspection_endpoint=self._endpoint(url, document, "introspection_endpoint"),
        )

    def read_json(self, url: str, body: bytes) -> Mapping[str, Any]:
        """Return the object that the server answered with.

        Raises:
            ServerUnavailable: it is none.
        """
        try:
            return read_json_object(body, most=MAX_DOCUMENT)
        except NotJson as error:
            raise self.unusable(url, str(error)) from None

    def _endpoint(self, url: str, document: Mapping[str, Any], name: str) -> str | None:
        value = document.get(name)
        if value is None:
            return None
        uri = read_http_uri(value) if isinstance(value, str) else None
        if uri is None or not (uri.scheme == "https" or uri.is_loopback):
            raise self.unusable(url, f"{name} is not an https address")
        return str(value)


def metadata_urls(issuer: str) -> Sequence[str]:
    """Return where an issuer's metadata may be, in the order in which clients look."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.removesuffix("/")
    inserted = [
        f"{origin}/.well-known/{name}{path}"
        for name in ("oauth-authorization-server", "openid-configuration")
    ]
    return (*inserted, f"{origin}{path}/.well-known/openid-configuration") if path else inserted
