"""A receiver for development: takes every request, checks its signature, and prints what arrived."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from portico.core.clock import SystemClock
from portico.webhooks.errors import SignatureInvalid
from portico.webhooks.signing import verify

LARGEST = 1_048_576
type Print = Callable[[str], None]


def make_listener(port: int, *, secret: bytes | None, status: int, echo: Print) -> ThreadingHTTPServer:
    """Return a server on loopback that answers `status`, or 400 to what is not signed under `secret`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            if not 0 <= length <= LARGEST:
                self._answer(413)
                return
            body = self.rfile.read(length)
            verdict = self._verdict(body)
            echo(f"{self.path}  {self.headers.get('webhook-id', 'no id')}  {verdict}")
            echo(body.decode(errors="replace"))
            self._answer(400 if verdict.startswith("NOT") else status)

        def _verdict(self, body: bytes) -> str:
            if secret is None:
                return "signature not checked: no --secret"
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                verify(secret, headers, body, SystemClock().now())
            except SignatureInvalid as error:
                return f"NOT GOOD: {error.detail}"
            return "signature good"

        def _answer(self, code: int) -> None:
            self.send_response(code)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: what arrived is printed already."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)
