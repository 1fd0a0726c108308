"""Sends requests to others: `runtime.get(Outbound)`, one a process, with a pool of connections.

The pool speaks HTTP/1.1 and nothing more: it follows no redirect, keeps no cookie, knows no proxy, decompresses
nothing. It is made at the first request, so that a server that sends none does not pay for it.
"""

import asyncio
import ssl
from datetime import timedelta
from time import perf_counter
from typing import TYPE_CHECKING

from portico.core.settings import OutboundSettings
from portico.outbound.addresses import is_allowed, read_address
from portico.outbound.errors import AddressForbidden, AnswerBroken, TooSlow, Unreachable
from portico.outbound.resolving import Resolver, SystemResolver
from portico.outbound.targets import Target
from portico.outbound.types import OutboundAnswer, OutboundRequest

if TYPE_CHECKING:
    import httpcore2

AGENT = "Portico"
CONNECTIONS = 256
IDLE_CONNECTIONS = 64
IDLE_SECONDS = 20.0
"""How long an unused connection is kept: the longest that one outlives a change of the name."""
OURS = frozenset({"host", "content-length", "connection", "accept-encoding", "transfer-encoding"})


class Outbound:
    """The client. `send` takes at most the time and the bytes that the settings allow."""

    def __init__(self, settings: OutboundSettings, resolver: Resolver | None = None) -> None:
        self._settings = settings
        self._resolver = resolver or SystemResolver()
        self._pool: httpcore2.AsyncConnectionPool | None = None

    async def send(self, request: OutboundRequest) -> OutboundAnswer:
        """Send one request and return the answer, whatever its status.

        Raises:
            AddressForbidden: it leads to an address that is not public.
            Unreachable: nobody answers there, or not who should (TLS).
            TooSlow: the connection or the whole took too long.
            AnswerBroken: it ended in the middle, or is not HTTP.
        """
        limit = min(filter(None, (request.timeout, self._settings.timeout)))
        began = perf_counter()
        try:
            async with asyncio.timeout(limit.total_seconds()):
                status, headers, body, is_cut = await self._exchange(request)
        except TimeoutError:
            raise TooSlow(f"gave no answer within {limit.total_seconds():g} seconds") from None
        return OutboundAnswer(status, headers, body, is_cut, timedelta(seconds=perf_counter() - began))

    def check_literal(self, target: Target) -> None:
        """Refuse a target whose host is an address that is not public; names are looked up when something is sent.

        Raises:
            AddressForbidden: it is one.
        """
        try:
            address = read_address(target.host)
        except ValueError:
            return
        if not is_allowed(address, self._settings.allow_networks, loopback=self._settings.allow_loopback):
            raise AddressForbidden

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()

    async def _exchange(self, request: OutboundRequest) -> tuple[int, dict[str, str], bytes, bool]:
        import httpcore2

        pool = self._pool or self._open_pool()
        try:
            async with pool.stream(
                request.method,
                _url(request),
                headers=_headers(request),
                content=request.body or None,
                extensions={"timeout": {"connect": self._settings.connect_timeout.total_seconds()}},
            ) as answer:
                body, is_cut = await _read(answer, self._most_bytes(request))
                headers = {
                    name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers
                }
                return answer.status, headers, body, is_cut
        except httpcore2.ConnectTimeout:
            raise TooSlow("took too long to connect") from None
        except httpcore2.ConnectError as error:
            raise Unreachable(_why_unreachable(error)) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError):
            raise AnswerBroken("ended the connection before its answer was complete") from None

    def _most_bytes(self, request: OutboundRequest) -> int:
        allowed = self._settings.max_answer_bytes
        return allowed if request.max_answer_bytes is None else min(request.max_answer_bytes, allowed)

    def _open_pool(self) -> "httpcore2.AsyncConnectionPool":
        import httpcore2

        from portico.outbound.connecting import GuardedBackend

        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=self._ssl_context(),
            max_connections=CONNECTIONS,
            max_keepalive_connections=IDLE_CONNECTIONS,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=GuardedBackend(self._settings, self._resolver),
        )
        return self._pool

    def _ssl_context(self) -> ssl.SSLContext:
        import httpcore2

        context = httpcore2.default_ssl_context()
        if self._settings.ca_file is not None:
            context.load_verify_locations(self._settings.ca_file)
        return context


def _url(request: OutboundRequest) -> "httpcore2.URL":
    import httpcore2

    target = request.target
    return httpcore2.URL(
        scheme=target.scheme.encode(),
        host=target.host.encode(),
        port=target.port,
        target=target.path.encode(),
    )


def _headers(request: OutboundRequest) -> list[tuple[str, str]]:
    """Return the headers of the wire; ours come first and are not the caller's to change."""
    own = [("Host", request.target.authority), ("Accept-Encoding", "identity")]
    if request.body or request.method in {"POST", "PUT", "PATCH"}:
        own.append(("Content-Length", str(len(request.body))))
    given = {name.lower() for name in request.headers}
    own += [
        (name, value)
        for name, value in (("Accept", "*/*"), ("User-Agent", AGENT))
        if name.lower() not in given
    ]
    return own + [(name, value) for name, value in request.headers.items() if name.lower() not in OURS]


async def _read(answer: "httpcore2.Response", most: int) -> tuple[bytes, bool]:
    """Return the first bytes of the body, and whether there were more; the rest is left unread."""
    kept = bytearray()
    async for piece in answer.aiter_stream():
        kept += piece
        if len(kept) > most:
            return bytes(kept[:most]), True
    return bytes(kept), False


def _why_unreachable(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"shows a certificate that is not good: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "speaks no TLS that we speak"
        cause = cause.__cause__ or cause.__context__
    return "cannot be reached"
