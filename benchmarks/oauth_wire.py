"""What an authorization server is asked in the benchmark, in the words of the wire: the same of ours and of others."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from urllib.parse import quote_plus, urlencode

from benchmarks.load import FORM, Answer, Script, form, request
from benchmarks.rounds import always, same
from benchmarks.servers import Server

CALLBACK = "https://app.example/callback"
VERIFIER = "a-verifier-that-is-as-long-as-section-4-1-wants-it"
SCOPE = "openid profile email offline_access"
FASTEST = 3_000
"""Codes made for a second of exchanging: more than a core can sign ID tokens for."""
CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Credentials:
    """A client that proves itself by its secret in the header (RFC 6749, section 2.3.1)."""

    client_id: str
    secret: str = field(repr=False)

    @property
    def header(self) -> str:
        """Return the value of `Authorization`."""
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
        return "Basic " + base64.b64encode(pair.encode()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An authorization server with a service and a web application; `make_codes` makes codes for the second."""

    server: Server
    machine: Credentials
    web: Credentials
    make_codes: Callable[[int], list[str]]
    paths: Mapping[str, str]
    """By operation: token, introspection, userinfo, jwks, discovery."""

    def tokens(self) -> dict[str, str]:
        """Exchange one code and return the answer.

        Raises:
            RuntimeError: it was refused.
        """
        headers = {"Content-Type": FORM, "Authorization": self.web.header}
        connection = HTTPConnection("localhost", self.server.port, timeout=30)
        connection.request("POST", self.paths["token"], urlencode(_of_code(self.make_codes(1)[0])), headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"no tokens: {answer.status} {body.decode()}")
        tokens: dict[str, str] = json.loads(body)
        return tokens


type Rounds = Callable[[float], Script]


def client_credentials(provider: Provider) -> Rounds:
    """A service asks for a token for itself."""
    fields = {"grant_type": "client_credentials"}
    authorization = provider.machine.header
    return always(
        same(form(provider.server.port, provider.paths["token"], fields, authorization=authorization))
    )


def code_exchange(provider: Provider) -> Rounds:
    """An application exchanges codes, each for an access, a refresh and an ID token."""

    def script(seconds: float) -> Script:
        codes = iter(provider.make_codes(int(seconds * FASTEST)))
        return lambda _number, _last: _posted(provider, _of_code(next(codes)))

    return script


def refresh(provider: Provider) -> Rounds:
    """Applications rotate refresh tokens, each connection its own line."""
    held = [provider.tokens()["refresh_token"] for _ in range(CONNECTIONS)]

    def rotate(number: int, last: Answer | None) -> bytes:
        if last is not None and last.status == 200:
            held[number] = json.loads(last.body)["refresh_token"]
        return _posted(provider, {"grant_type": "refresh_token", "refresh_token": held[number]})

    return always(rotate)


def introspection(provider: Provider) -> Rounds:
    """An application asks about its token."""
    fields = {"token": provider.tokens()["access_token"]}
    authorization = provider.web.header
    path = provider.paths["introspection"]
    return always(same(form(provider.server.port, path, fields, authorization=authorization)))


def userinfo(provider: Provider) -> Rounds:
    """An application asks who somebody is."""
    token = provider.tokens()["access_token"]
    return always(same(request(provider.server.port, "GET", provider.paths["userinfo"], token=token)))


def jwks(provider: Provider) -> Rounds:
    """Somebody fetches the keys."""
    return always(same(request(provider.server.port, "GET", provider.paths["jwks"])))


def discovery(provider: Provider) -> Rounds:
    """Somebody finds out what there is."""
    return always(same(request(provider.server.port, "GET", provider.paths["discovery"])))


OPERATIONS: Mapping[str, Callable[[Provider], Rounds]] = {
    "client credentials": client_credentials,
    "code exchange": code_exchange,
    "refresh": refresh,
    "introspection": introspection,
    "userinfo": userinfo,
    "jwks": jwks,
    "discovery": discovery,
}


def operations(chosen: str | None) -> Iterator[tuple[str, Callable[[Provider], Rounds]]]:
    """Yield the operations to be measured, one of them or all."""
    return ((name, make) for name, make in OPERATIONS.items() if chosen in {None, name})


def _of_code(code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }


def _posted(provider: Provider, fields: Mapping[str, str]) -> bytes:
    return form(provider.server.port, provider.paths["token"], fields, authorization=provider.web.header)
