"""The people, objects and credentials of the access matrix: who asks, and whose things are asked for.

Ada owns what the ids in paths and bodies name. Bob has nothing to do with her; Grace is the administrator.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import httpx2

from portico.credentials.models import PasswordCredential
from portico.credentials.passwords import Passwords
from portico.credentials.services import RegistrationTokens, issue_setup_link
from portico.http.authentication import CredentialKind
from portico.http.csrf import token_for
from portico.runtime import Runtime
from portico.sessions.services import Impersonations, Sessions, live_session, principal_of
from portico.testing.clock import FrozenClock
from portico.tokens.services import OneTimeTokens
from portico.tokens.types import TokenPurpose
from portico.users.addresses import parse_address
from portico.users.services import NewUser, Users
from portico.users.types import Account
from portico.webhooks.services import Endpoints, NewEndpoint
from tests.access_matrix.table import Row
from tests.integration.ground import EVIL, Person, enter, make_superuser
from tests.sessions.people import PAGE_COOKIE, PASSWORD

TOKEN_LIFE = timedelta(minutes=15)
NEW_PASSWORD = "a calculus of the nervous system"
NAMES = count(1)

type Credential = Mapping[str, str]


@dataclass(slots=True)
class Scene:
    """Three people, and what a request needs to name their things; a person who was changed is replaced."""

    runtime: Runtime
    clock: FrozenClock
    origin: str
    password_hash: str
    people: dict[str, Person] = field(default_factory=dict)
    dead: dict[str, Credential] = field(default_factory=dict)
    token_id: str = ""
    endpoint_id: str = ""
    delivery_id: str = ""
    acting: Credential = field(default_factory=dict)
    """Of Grace, while she acts in Ada's name."""

    @classmethod
    async def made(cls, runtime: Runtime, clock: FrozenClock) -> "Scene":
        """Return a scene with everybody in it."""
        password_hash = await runtime.get(Passwords).hash(PASSWORD)
        scene = cls(runtime, clock, runtime.settings.public_url, password_hash)
        scene.dead = {
            "garbage": _bearer("garbage.of.no-kind"),
            "expired": await scene._expired(),
            "ended": await scene._ended(),
            "deactivated": await scene._deactivated(),
        }
        await scene.renew("ada", "bob", "grace")
        return scene

    async def renew(self, *names: str) -> None:
        """Put a fresh person in each place; beside Grace a fresh token and webhook."""
        for name in names:
            self.people[name] = await self._person(name)
        if "grace" in names:
            await self._renew_things()
        self.acting = await self._impersonation()

    async def _renew_things(self) -> None:
        issued = await RegistrationTokens(self.runtime, self.runtime.unit()).create_token()
        self.token_id = str(issued.id)
        new = NewEndpoint(url="https://hooks.example/", event_names=["*"])
        endpoint, _ = await Endpoints(self.runtime, self.runtime.unit()).create_endpoint(new)
        self.endpoint_id = str(endpoint.id)
        self.delivery_id = str(await Endpoints(self.runtime, self.runtime.unit()).send_test(endpoint.id))

    def credential(self, column: str) -> Credential:
        """Return the headers by which a caller of this column is known, or takes himself to be."""
        cookie = self.people["ada"].cookie
        by_cookie = {"Cookie": f"{PAGE_COOKIE}={cookie}"}
        token = {"X-CSRF-Token": token_for(self.runtime.secret, cookie)}
        own = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
        foreign = {"Origin": f"https://{EVIL}", "Sec-Fetch-Site": "cross-site"}
        living: dict[str, Credential] = {
            "anonymous": {},
            "user": self.people["ada"].bearer,
            "other": self.people["bob"].bearer,
            "superuser": self.people["grace"].bearer,
            "browser": {**by_cookie, **own, **token},
            "tokenless": {**by_cookie, **own},
            "forged": {**by_cookie, **foreign, **token},  # the origin alone must be enough
            "lured": foreign,
            "impersonator": self.acting,
        }
        return {**living, **self.dead}[column]

    def spoilt_by(self, column: str) -> tuple[str, ...]:
        """Return whom a request of this column may have changed."""
        return {"other": ("ada", "bob"), "superuser": ("ada", "grace")}.get(column, ("ada",))

    def path(self, template: str) -> str:
        """Return a route's path with Ada's ids in it."""
        ada = self.people["ada"]
        ids = {
            "user_id": str(ada.id),
            "session_id": ada.session_id,
            "token_id": self.token_id,
            "endpoint_id": self.endpoint_id,
            "delivery_id": self.delivery_id,
            "job_id": str(uuid4()),
            "mail_id": str(uuid4()),
            "name": "nothing.css",
        }
        return template.format(**ids)

    async def request(self, row: Row, column: str) -> httpx2.Request:
        """Return the request of one cell; a dead or missing credential comes with the body that would have worked."""
        headers = {"Accept": "application/json", **self.credential(column)}
        url = f"{self.origin}{self.path(row.path)}"
        if row.form is not None:
            return httpx2.Request(
                row.method, url, headers=headers, data=await self.body(dict(row.form), column)
            )
        body = None if row.body is None else await self.body(dict(row.body), column)
        return httpx2.Request(row.method, url, headers=headers, json=body)

    async def body(self, given: Any, caller: str) -> Any:
        """Return a body of the table with its `$words` filled in."""
        if isinstance(given, dict):
            return {name: await self.body(value, caller) for name, value in given.items()}
        if isinstance(given, list):
            return [await self.body(value, caller) for value in given]
        return await self._word(given, caller) if isinstance(given, str) and given.startswith("$") else given

    async def _word(self, word: str, caller: str) -> str:
        whose = self.people[{"other": "bob", "superuser": "grace"}.get(caller, "ada")]
        ada = self.people["ada"]
        words: dict[str, Callable[[], Awaitable[str]]] = {
            "$password": lambda: _just(PASSWORD),
            "$new_password": lambda: _just(NEW_PASSWORD),
            "$new_address": lambda: _just(f"person{next(NAMES)}@example.net"),
            "$address": lambda: _just(ada.account.email),
            "$own_address": lambda: _just(whose.account.email),
            "$session": lambda: _just(ada.session_id),
            "$refresh": lambda: _just(ada.refresh_token),
            "$verify": lambda: self._one_time(TokenPurpose.VERIFY_EMAIL, ada),
            "$reset": lambda: self._one_time(TokenPurpose.RESET_PASSWORD, ada),
            "$setup": self._setup,
        }
        return await words[word]()

    async def _one_time(self, purpose: TokenPurpose, person: Person) -> str:
        unit = self.runtime.unit()
        issued = await OneTimeTokens(self.runtime, unit).issue(
            purpose, person.id, ttl=timedelta(minutes=5), address=person.account.email_normal_form
        )
        return str(issued.secret)

    async def _impersonation(self) -> Credential:
        grace, ada = self.people["grace"], self.people["ada"]
        own = await live_session(self.runtime, grace.opened.session.id)
        actor = principal_of(own, CredentialKind.BEARER)
        impersonations = Impersonations(self.runtime, self.runtime.unit())
        started = await impersonations.start(ada.id, actor=actor, reason="The matrix")
        assert started.access_token is not None
        return _bearer(started.access_token.value)

    async def _setup(self) -> str:
        link = await issue_setup_link(self.runtime)
        return link.partition("token=")[2] if link else "pot_" + "A" * 43

    async def _person(self, name: str = "somebody") -> Person:
        account = await self._account()
        if name == "grace":
            await make_superuser(self.runtime, account)
        return await enter(self.runtime, account, at_pages=name == "ada")

    async def _account(self) -> Account:
        unit = self.runtime.unit()
        async with unit:
            new = NewUser(email=parse_address(f"person{next(NAMES)}@example.org"), email_verified=True)
            account = await Users(self.runtime, unit).create_user(new)
            now = self.runtime.clock.now()
            unit.session.add(
                PasswordCredential(user_id=account.id, password_hash=self.password_hash, changed_at=now)
            )
        return account

    async def _expired(self) -> Credential:
        """Return a token that has expired, of a session that lives on."""
        person = await self._person()
        self.clock.advance(2 * TOKEN_LIFE)
        return person.bearer

    async def _ended(self) -> Credential:
        person = await self._person()
        sessions = Sessions(self.runtime, self.runtime.unit())
        await sessions.log_out(person.id, person.opened.session.id)
        return person.bearer

    async def _deactivated(self) -> Credential:
        person = await self._person()
        await Users(self.runtime, self.runtime.unit()).deactivate_user(person.id)
        return person.bearer


async def _just(text: str) -> str:
    return text


def _bearer(token: str) -> Credential:
    return {"Authorization": f"Bearer {token}"}
