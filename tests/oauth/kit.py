"""A house of people, clients and resources, and a browser and a relying party that know only the wire.

client = await house.client(redirect_uris=[CALLBACK])
back = await house.authorize(client, scope="openid")          # signed in, consented: the parameters of the answer
tokens = await house.exchange(client, back)
"""

import html
import json
import re
from base64 import b64encode as plain_b64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, quote_plus, urlencode, urlsplit

import httpx2

from portico.core.crypto import b64decode
from portico.oauth.protocol.rfc7591_registration import (
    AUTH_METHODS,
    KEY_METHODS,
    RegistrationPolicy,
    read_metadata,
)
from portico.oauth.protocol.rfc7636_pkce import make_challenge
from portico.oauth.services.client_registry import ClientRegistry
from portico.oauth.types import ClientPolicy, ClientSource
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.integration.ground import Person, enter, make_superuser
from tests.sessions.people import PASSWORD, add_person

CALLBACK = "https://app.example/callback"
VERIFIER = "v" * 20 + "erifier-of-enough-characters-for-S256"
CHALLENGE = make_challenge(VERIFIER)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
POLICY = RegistrationPolicy(
    auth_methods=(*AUTH_METHODS, *KEY_METHODS, "client_secret_jwt"), custom_schemes=frozenset({"cursor"})
)
_TICKET = re.compile(r'name="ticket" value="([^"]+)"')
_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class TestClient:
    """A registered client as its developer knows it."""

    __test__ = False

    client_id: str
    key: Any
    secret: str | None
    metadata: Any
    redirect_uri: str | None

    @property
    def basic(self) -> dict[str, str]:
        """Return the header by which it proves itself."""
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret or '')}"
        return {"Authorization": "Basic " + plain_b64(pair.encode()).decode()}

    @property
    def proof(self) -> dict[str, str]:
        """Return how it names itself: by header if it has a secret, else by nothing."""
        return self.basic if self.secret else {}

    @property
    def name(self) -> dict[str, str]:
        """Return the parameter of a public client."""
        return {} if self.secret else {"client_id": self.client_id}


@dataclass
class House:
    """Makes people and clients, and plays browser and relying party."""

    runtime: Runtime
    http: httpx2.AsyncClient
    clock: FrozenClock
    people: dict[str, Person] = field(default_factory=dict)

    async def person(self, name: str, *, superuser: bool = False) -> Person:
        """Make a person who is signed in at the pages."""
        account = await add_person(self.runtime, f"{name}@example.org")
        if superuser:
            await make_superuser(self.runtime, account)
        self.people[name] = await enter(self.runtime, account)
        return self.people[name]

    async def client(
        self,
        *,
        source: ClientSource = ClientSource.ADMINISTRATOR,
        policy: ClientPolicy | None = None,
        client_id: str | None = None,
        **members: Any,
    ) -> TestClient:
        """Register a client; without `redirect_uris` it has `CALLBACK`, and it may refresh."""
        given: dict[str, Any] = {
            "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
            "client_name": "Test application",
            **members,
        }
        metadata = read_metadata(given, POLICY)
        made = await ClientRegistry(self.runtime, self.runtime.unit()).register_client(
            metadata, source, policy=policy, client_id=client_id
        )
        redirects = metadata.redirect_uris
        return TestClient(
            made.client_id,
            made.key,
            made.secret.text if made.secret else None,
            metadata,
            redirects[0] if redirects else None,
        )

    async def public_client(self, **members: Any) -> TestClient:
        """Register a client without a secret."""
        return await self.client(token_endpoint_auth_method="none", **members)

    def cookie(self, name: str | None) -> dict[str, str]:
        """Return the header of a browser in which this person is signed in; nobody for None."""
        return {"Cookie": f"portico_session={self.people[name].cookie}"} if name else {}

    def request(self, client: TestClient, **parameters: Any) -> dict[str, Any]:
        """Return the parameters of a proper authorization request; None takes one away."""
        given = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": client.redirect_uri,
            "scope": "openid",
            "state": "st-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **parameters,
        }
        return {name: value for name, value in given.items() if value is not None}

    async def get(self, path: str, person: str | None = "ada", **headers: str) -> httpx2.Response:
        """Ask as a browser would, without following anything."""
        self.http.cookies.clear()
        return await self.http.get(path, headers={**self.cookie(person), **headers}, follow_redirects=False)

    async def ask(self, client: TestClient, person: str | None = "ada", **parameters: Any) -> httpx2.Response:
        """Send a browser to the authorization endpoint."""
        query = urlencode(self.request(client, **parameters), doseq=True)
        return await self.get(f"/oauth/authorize?{query}", person)

    async def answer(
        self, asked: httpx2.Response, person: str = "ada", action: str = "approve"
    ) -> httpx2.Response:
        """Answer the question of consent to which `asked` led; anything else is returned as it is."""
        location = asked.headers.get("location", "")
        if not location.startswith("/oauth/consent"):
            return asked
        page = await self.get(location, person)
        assert page.status_code == 200, page.text
        ticket, token = _TICKET.search(page.text), _CSRF.search(page.text)
        assert ticket is not None, page.text
        assert token is not None
        fields = {
            "ticket": html.unescape(ticket[1]),
            "csrf_token": html.unescape(token[1]),
            "action": action,
        }
        return await self.http.post(
            "/oauth/consent", data=fields, headers=self.cookie(person), follow_redirects=False
        )

    async def authorize(
        self, client: TestClient, person: str = "ada", action: str = "approve", **parameters: Any
    ) -> dict[str, str]:
        """Ask and consent; return the parameters with which the browser was sent back."""
        answer = await self.answer(await self.ask(client, person, **parameters), person, action)
        assert answer.status_code == 303, (answer.status_code, answer.text)
        return returned(answer)

    async def token(
        self, client: TestClient, *, headers: Mapping[str, str] | None = None, **parameters: Any
    ) -> httpx2.Response:
        """Ask the token endpoint."""
        self.http.cookies.clear()
        given = {name: value for name, value in parameters.items() if value is not None}
        return await self.http.post(
            "/oauth/token",
            content=urlencode({**client.name, **given}, doseq=True),
            headers={**FORM, **client.proof, **(headers or {})},
        )

    async def exchange(
        self, client: TestClient, back: Mapping[str, str], **parameters: Any
    ) -> dict[str, Any]:
        """Exchange a code for tokens, which must work."""
        answer = await self.exchanged(client, back, **parameters)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def exchanged(
        self, client: TestClient, back: Mapping[str, str], **parameters: Any
    ) -> httpx2.Response:
        """Try to exchange a code for tokens."""
        given = {
            "grant_type": "authorization_code",
            "code": back["code"],
            "redirect_uri": client.redirect_uri,
            "code_verifier": VERIFIER,
            **parameters,
        }
        return await self.token(client, **given)

    async def refreshed(self, client: TestClient, token: str, **parameters: Any) -> httpx2.Response:
        """Try to refresh."""
        return await self.token(client, grant_type="refresh_token", refresh_token=token, **parameters)

    async def tokens(self, client: TestClient, person: str = "ada", **parameters: Any) -> dict[str, Any]:
        """Go the whole way: ask, consent, exchange."""
        return await self.exchange(client, await self.authorize(client, person, **parameters))

    async def sign_in(self, location: str, person: str) -> httpx2.Response:
        """Fill the sign-in page to which a redirect led; return the answer of the form."""
        target = parse_qs(urlsplit(location).query)
        fields = {
            "username": self.people[person].account.email,
            "password": PASSWORD,
            "next": target["next"][0],
            **({"again": "1"} if "again" in target else {}),
        }
        headers = self.cookie(person) if "again" in target else {}
        if headers:
            page = await self.get(location, person)
            token = _CSRF.search(page.text)
            assert token is not None
            fields["csrf_token"] = html.unescape(token[1])
        self.http.cookies.clear()
        return await self.http.post("/login", data=fields, headers=headers, follow_redirects=False)


def returned(answer: httpx2.Response) -> dict[str, str]:
    """Return the parameters of a redirect to a client."""
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query, keep_blank_values=True))


def claims_of(token: str) -> dict[str, Any]:
    """Return what a JWT says, unverified."""
    claims: dict[str, Any] = json.loads(b64decode(token.split(".")[1]))
    return claims


def quoted(text: str) -> str:
    """Return a text as it stands in a path or query."""
    return quote(text, safe="")
