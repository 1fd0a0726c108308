"""One request and its answer on their way through the edge.

The three steps stand in their order: `screen` looks at what was sent, `admit` finds out who asks and whether he may
ask again now, `send` completes the answer. Each refusal is raised, and answered in one place (`edge.py`).
"""

from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response
from starlette.types import Message, Receive, Scope, Send

from portico.core.context import Asker, RequestContext, set_current_asker, set_current_request
from portico.core.ids import new_request_id
from portico.http.authentication import PRINCIPAL_KEY, REJECTION_KEY, CredentialKind, Principal, Rejection
from portico.http.bodies import BoundedReceive
from portico.http.cookies import find_cookie
from portico.http.dispatch import FOUND_KEY
from portico.http.edge.hosts import HostVerdict
from portico.http.edge.limits import Standing
from portico.http.edge.origins import OPEN_HEADERS, PREFLIGHT_HEADERS
from portico.http.edge.requests import (
    METHODS,
    UNSAFE,
    Headers,
    check_headers,
    check_target,
    declared_length,
    kept_request_id,
)
from portico.http.errors import HostRefused, MethodNotAllowed, OriginRefused
from portico.http.paths import is_health_path, is_program_path
from portico.http.refusals import note_rejection
from portico.http.routing import NOTHING, Found

if TYPE_CHECKING:
    from portico.http.edge.edge import Gear

CLIENT_CLOSED = 499
MAX_USER_AGENT = 300
MAX_SHOWN = 24
_COOKIE = CredentialKind.COOKIE


class Answered(Exception):
    """The edge has the answer: a preflight, a redirect to the public URL."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Exchange:
    """What the edge knows of one request, and the `send` that its answer goes through."""

    __slots__ = (
        "_gear", "_scope", "_send", "_standing", "_started_at", "_who", "expired", "found", "headers", "method", "path",
        "principal", "request_id", "started", "status",
    )  # fmt: skip

    def __init__(self, gear: "Gear", scope: Scope, send: Send) -> None:
        self._started_at = perf_counter()
        self._gear = gear
        self._scope = scope
        self._send = send
        self._standing: Standing | None = None
        self.method: str = scope.get("method", "GET")  # a WebSocket has none
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = {}
        self.found: Found = NOTHING
        self.principal: Principal | None = None
        self.request_id = ""
        self.status = 0
        self.started = False
        self.expired = False
        self._who: str | None = None

    def screen(self) -> None:
        """Look at what was sent: size, grammar, verb, host, preflight; find the route.

        Raises:
            Answered: by a preflight's answer or a redirect.
            PorticoError: 400, 405, 414, 422, 431; 403 for a preflight of a foreign page.
        """
        scope, gear = self._scope, self._gear
        raw = scope["headers"]
        headers = dict(raw)
        # The id first of all, so that every refusal carries it.
        self.request_id = kept_request_id(headers) or new_request_id()
        set_current_request(self.facts)
        set_current_asker(self.asker)
        self.headers = headers = check_headers(raw, headers, gear.max_header_bytes)
        check_target(scope)
        root = scope.get("root_path")
        path = self.path.removeprefix(root) if root else self.path
        if gear.hosts.judge(headers.get(b"host")) is not HostVerdict.OURS:
            self._answer_foreign_host(path)
        self.found = found = gear.table.find(self.method, path)
        scope[FOUND_KEY] = found
        if self.method not in METHODS:
            raise MethodNotAllowed(headers={"Allow": ", ".join(found.allowed)})
        if self.method == "OPTIONS" and b"access-control-request-method" in headers:
            self._answer_preflight()

    def _answer_foreign_host(self, path: str) -> None:
        if is_health_path(path):
            return
        malformed = self._gear.hosts.judge(self.headers.get(b"host")) is HostVerdict.MALFORMED
        if malformed or is_program_path(path) or self.method not in {"GET", "HEAD"}:
            raise HostRefused
        query = self._scope["query_string"].decode("ascii")
        there = self._gear.public_url + quote(self.path, safe="/-._~!$&'()*+,;=:@")
        raise Answered(RedirectResponse(f"{there}?{query}" if query else there, status_code=308))

    def _answer_preflight(self) -> None:
        origin = self.headers.get(b"origin")
        asked = self.headers[b"access-control-request-method"].decode("latin-1")
        # From here on the exchange is about the route that is asked for: whoever may read its answer may read this one.
        self.found = self._gear.table.find(asked, self.path)
        wanted = self.found.entry
        is_open = wanted is not None and wanted.is_readable_by_all
        if not is_open and not self._is_listed(origin):
            raise OriginRefused
        response = Response(status_code=204)
        response.raw_headers.extend(PREFLIGHT_HEADERS)
        raise Answered(response)

    def _is_listed(self, origin: bytes | None) -> bool:
        return origin is not None and is_program_path(self.path) and self._gear.origins.allows(origin)

    async def admit(self, receive: Receive) -> Receive:
        """Find out who asks and whether he may; return what the route reads the body from.

        Raises:
            RateLimited: too many requests (429).
            OriginRefused, CsrfTokenInvalid: a foreign page made the browser ask (403).
            TooLarge: the declared length is beyond the limit (413).
        """
        gear, headers, entry = self._gear, Headers(self.headers), self.found.entry
        limits = gear.limits
        plan = limits.plan_for(entry, self.method)
        if plan.by_address:
            self._standing = await limits.hit(plan, self.client_key)
        is_open = entry is not None and entry.is_open_to_clients
        principal = None if is_open else await self._authenticate(headers)
        if plan.limits and not plan.by_address:
            who = self._who or self.client_key
            self._standing = limits.hit_now(plan, who) if limits.is_immediate else await limits.hit(plan, who)
        if self.method not in UNSAFE:
            return receive
        if not is_open:
            gear.forgery.check_origin(principal, headers)
        limit = (entry.max_body_bytes if entry else None) or gear.max_body_bytes
        declared_length(self.headers, limit)
        receive = BoundedReceive(receive, limit)
        if principal is not None and principal.credential is _COOKIE:
            receive = await gear.forgery.check_token(self._scope, headers, receive)
        return receive

    def asker(self) -> Asker | None:
        """Return who asks, once that is known."""
        who = self.principal
        return Asker(who.id, who.actor_id) if who is not None else None

    @property
    def client_key(self) -> str:
        """Return the address under which the client is counted."""
        return self._gear.addresses.find(self._scope.get("client"), self.headers).key

    async def _authenticate(self, headers: Headers) -> Principal | None:
        for authenticator in self._gear.authenticators:
            outcome = await authenticator.authenticate(self._scope, headers)
            if outcome is None:
                continue
            if isinstance(outcome, Rejection):
                self._scope[REJECTION_KEY] = outcome
                note_rejection(self._gear.refusals, outcome)
                return None
            self._scope[PRINCIPAL_KEY] = self.principal = outcome
            self._who = str(outcome.id)
            return outcome
        return None

    async def send(self, message: Message) -> None:
        """Pass the answer on, completed; a HEAD request gets no body."""
        if message["type"] == "http.response.start":
            # What has begun may take as long as the client takes to read it.
            self._gear.deadlines.end(self)
            self.started = True
            self.status = message["status"]
            message["headers"] = self._completed(list(message.get("headers", ())))
        elif self.method == "HEAD" and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)

    def _completed(self, given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        gear = self._gear
        headers = gear.headers.add(given, self._scope)
        headers.append((b"x-request-id", self.request_id.encode("ascii")))
        if self._standing is not None:
            headers += gear.limits.headers(self._standing)
        entry = self.found.entry
        if entry is not None and entry.is_readable_by_all:
            headers += OPEN_HEADERS
        elif gear.origins.has_cors and is_program_path(self.path):
            headers += gear.origins.answer_headers(self.headers.get(b"origin"))
        return headers

    def log(self) -> None:
        """Write the line of this request, without anything that could be a secret."""
        line = self._gear.access_line
        if line is None:
            return
        entry = self.found.entry
        line(
            self.method if self.method in METHODS else "OTHER",
            entry.path if entry is not None else shown_path(self.path),
            self.status or CLIENT_CLOSED,
            (perf_counter() - self._started_at) * 1000,
            self.request_id,
            self._who,
        )

    def facts(self) -> RequestContext:
        """Return what services may know of the request; asked only when one of them wants to know."""
        headers = Headers(self.headers)
        agent = headers.get("user-agent")
        return RequestContext(
            request_id=self.request_id,
            client_address=self._gear.addresses.find(self._scope.get("client"), self.headers).text,
            user_agent=agent[:MAX_USER_AGENT] if agent else None,
            device_cookie=find_cookie(headers.get("cookie"), self._gear.device_cookie),
            accept_language=headers.get("accept-language"),
        )


def shown_path(path: str) -> str:
    """Return a path without a route as it may stand in the log: no long segment, nothing that needs an escape."""
    segments = [segment if len(segment) <= MAX_SHOWN else "*" for segment in path[:120].split("/")[:8]]
    return quote("/".join(segments), safe="/-._~*")
