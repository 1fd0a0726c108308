"""P5 to P7 for what clients hold: any sequence of what can happen to a grant, against a model that knows no database.

People connect clients, clients exchange, refresh and give back, people and administrators change their minds, keys
rotate, time passes. After each step one token is shown somewhere, and in the end every token everywhere; the model says
who lets it in. `PORTICO_TEST_SCALE` asks for more runs; a failure is made small only there, because that takes minutes.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, ClassVar
from uuid import UUID

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, settings as hypothesis_settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from portico.core.ids import UserId
from portico.keys.services import rotate_keys
from portico.oauth.services.client_administration import ClientAdministration
from portico.sessions.services import Sessions
from portico.sessions.services.access_tokens import AccessTokens
from portico.sessions.services.opening import OpenedSession, SessionOpening
from portico.sessions.types import AuthMethod, SessionEnd, Transport
from portico.users.services import Users
from tests.integration.ground import API, SCALE, Person
from tests.oauth.kit import House, TestClient
from tests.oauth.presenting import introspected, revoked, told
from tests.sessions.people import PASSWORD, add_person

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1800)]

PROFILE = hypothesis_settings(
    max_examples=14 * SCALE,
    stateful_step_count=30,
    deadline=None,
    derandomize=SCALE == 1,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink) if SCALE > 1 else (Phase.generate,),
)
ISSUER, OWN_API, MCP = "http://localhost:8000", "http://localhost:8000/api/v1", "https://api.example.com/mcp"
CODE, ACCESS, GRACE = timedelta(seconds=60), timedelta(minutes=15), timedelta(seconds=10)
IDLE, ABSOLUTE = timedelta(days=30), timedelta(days=180)
PASSING = (
    *[timedelta(seconds=1), timedelta(seconds=9.99), timedelta(seconds=10), timedelta(seconds=49)] * 3,
    *[timedelta(seconds=61), timedelta(minutes=14), timedelta(minutes=16)] * 2,
    timedelta(days=1), timedelta(days=29.9), timedelta(days=31),
)  # fmt: skip
FRESH = timedelta(minutes=5)
"""How long the browser session is trusted to be there; then the person signs in anew."""
NEXT_PASSWORD = {PASSWORD: "a loom of flowers and leaves", "a loom of flowers and leaves": PASSWORD}
WISHES: dict[str, tuple[str, tuple[str, ...]]] = {
    "person": ("openid email", ()),
    "api": ("openid user:self:read", (OWN_API,)),
    "tools": ("tools:read tools:write", (MCP,)),
    "both": ("openid user:self:read tools:read", (OWN_API, MCP)),
}
OF_PERSON = {"openid", "email", "offline_access"}
SCOPES_OF = {OWN_API: {"user:self:read"}, MCP: {"tools:read", "tools:write"}}
NAMES = count(1)
UPHEAVALS = (
    "sign_out", "disconnect", "change_password", "change_password_alone", "switch_person_off", "delete_person",
    "switch_client_off", "delete_client", "rotate_keys",
)  # fmt: skip
APPS = 3
"""How many there are at a time; the first is public and may not ask what tokens are worth."""
PICK = st.integers(0, 10_000)


@dataclass(slots=True)
class App:
    """A client, and whether it is there and switched on."""

    client: TestClient
    is_on: bool = True
    is_there: bool = True

    @property
    def is_good(self) -> bool:
        """Tell whether it may ask for anything."""
        return self.is_on and self.is_there

    @property
    def refusal(self) -> str:
        """Return what it hears that may ask for nothing."""
        return "unauthorized_client" if self.is_there and not self.is_on else "invalid_client"

    @property
    def may_ask(self) -> bool:
        """Tell whether it may ask what a token is worth."""
        return self.is_good and self.client.secret is not None


@dataclass(slots=True)
class Grant:
    """What a person let a client do: its code, its line of refresh tokens, and whether all of it is over."""

    app: App
    owner: UserId
    session_id: UUID
    scopes: frozenset[str]
    resources: tuple[str, ...]
    is_offline: bool
    code: str
    given_at: datetime
    is_spent: bool = False
    is_over: bool = False
    tokens: list[str] = field(default_factory=list)
    began_at: datetime | None = None
    rotated_at: datetime | None = None

    def is_line_good(self, now: datetime) -> bool:
        """Tell whether anything of the line can be refreshed."""
        if self.is_over or self.began_at is None or self.rotated_at is None:
            return False
        return now < self.rotated_at + IDLE and now < self.began_at + ABSOLUTE

    def refuses_code(self, now: datetime) -> bool:
        """Tell whether the code is good no more."""
        return self.is_spent or self.is_over or now >= self.given_at + CODE

    def scopes_for(self, target: str | None) -> frozenset[str]:
        """Return what a token for a resource may do at most, or one for none."""
        if target is None and not self.resources:
            return self.scopes
        return self.scopes & (OF_PERSON | SCOPES_OF[target or self.resources[0]])

    def outcome(self, generation: int, now: datetime) -> str:
        """Return what showing a refresh token leads to."""
        leaf = len(self.tokens) - 1
        if not self.is_line_good(now):
            return "invalid"
        if generation == leaf:
            return "rotated"
        if generation == leaf - 1 and self.rotated_at is not None and now < self.rotated_at + GRACE:
            return "regranted"
        return "replayed"


@dataclass(slots=True)
class Access:
    """An access token as the model knows it."""

    text: str
    grant: Grant
    audience: str
    scopes: frozenset[str]
    over_at: float
    is_revoked: bool = False

    def is_good(self, now: datetime) -> bool:
        """Tell whether anybody lets it in."""
        return (
            not self.is_revoked
            and not self.grant.is_over
            and self.grant.app.is_good
            and now.timestamp() < self.over_at
        )


class GrantLife(RuleBasedStateMachine):
    """Server and model side by side; each run has people and clients of its own."""

    house: ClassVar[House]
    loop: ClassVar[asyncio.AbstractEventLoop]

    apps: list[App]
    name: str
    owner: UserId
    is_active: bool
    password: str
    session_id: UUID
    entered_at: datetime | None

    @initialize(wishes=st.lists(st.sampled_from(sorted(WISHES)), min_size=3, max_size=3))
    def begin(self, wishes: list[str]) -> None:
        self.apps = []
        self.grants: list[Grant] = []
        self.accesses: list[Access] = []
        self.was_good: dict[str, bool] = {}
        self.be_born()
        for place in range(APPS):
            self.register(place)
        for number, wish in enumerate(wishes):
            self.connect(number, wish, is_offline=number % 2 == 0, is_left=1)

    @precondition(lambda self: len([grant for grant in self.grants if not grant.is_over]) > 1)
    @rule(what=st.sampled_from(UPHEAVALS), app=PICK)
    def turn_upside_down(self, what: str, app: int) -> None:
        """Let somebody change his mind, where there is something to lose."""
        getattr(self, what)(app)

    @precondition(lambda self: not self.is_active)
    @rule()
    def let_person_back(self) -> None:
        self.run(self.users.activate_user(self.owner))
        self.is_active = True

    @precondition(lambda self: not all(app.is_on for app in self.apps))
    @rule()
    def let_clients_back(self) -> None:
        for app in self.apps:
            self.run(self.clients.enable_client(app.client.key, actor=None))
            app.is_on = True

    # What people do.

    @precondition(lambda self: self.is_active)
    @rule(app=PICK, wish=st.sampled_from(sorted(WISHES)), is_offline=st.booleans(), is_left=st.integers(0, 3))
    def connect(self, app: int, wish: str, is_offline: bool, is_left: int) -> None:
        """Let a client in; three times of four it fetches its tokens at once."""
        chosen, (scope, resources) = self.apps[app % APPS], WISHES[wish]
        scope += " offline_access" if is_offline else ""
        asked: dict[str, Any] = {
            "scope": scope,
            "resource": resources,
            "prompt": "consent" if is_offline else None,
        }
        if self.entered_at is None or self.now > self.entered_at + FRESH:
            self.sign_in()
        if not chosen.is_good:
            refused = self.run(self.house.ask(chosen.client, self.name, **asked))
            assert refused.status_code == 400, refused.headers
            return
        back = self.run(self.house.authorize(chosen.client, self.name, **asked))
        self.grants.append(
            Grant(chosen, self.owner, self.session_id, frozenset(scope.split()), resources, is_offline, back["code"],
                  self.now)
        )  # fmt: skip
        if is_left:
            self.exchange(len(self.grants) - 1, is_left)

    def sign_out(self, _: int = 0) -> None:
        """Sign out of the browser; what was granted in its session ends, but for what was to outlive it."""
        if self.entered_at is None:
            return
        self.run(self.sessions.log_out(self.owner, self.session_id))
        self.leave()
        self.end(lambda grant: grant.session_id == self.session_id and not grant.is_offline)

    def disconnect(self, app: int) -> None:
        if not self.is_active:
            return
        chosen = self.apps[app % APPS]
        answer = self.by_the_person("DELETE", f"{API}/oauth/connections/{chosen.client.key}")
        assert answer.status_code in {204, 404}, answer.text
        self.end(lambda grant: grant.app is chosen and grant.owner == self.owner)

    def change_password(self, _: int = 0) -> None:
        """Change it in a session of its own."""
        if not self.is_active:
            return
        passwords = {"current_password": self.password, "new_password": NEXT_PASSWORD[self.password]}
        answer = self.by_the_person("POST", f"{API}/auth/password/change", passwords)
        assert answer.status_code in {200, 204}, answer.text
        self.password = passwords["new_password"]
        self.leave()
        self.end(lambda grant: grant.owner == self.owner)

    def change_password_alone(self, _: int) -> None:
        """Change it in the only session that there is."""
        self.run(self.sessions.end_sessions_of(self.owner, SessionEnd.LOGGED_OUT))
        self.leave()
        self.end(lambda grant: grant.owner == self.owner and not grant.is_offline)
        self.change_password()

    # What administrators do.

    def switch_person_off(self, _: int) -> None:
        if self.is_active:
            self.run(self.users.deactivate_user(self.owner))
        self.is_active = False
        self.leave()
        self.end(lambda grant: grant.owner == self.owner)

    def delete_person(self, _: int) -> None:
        self.run(self.users.delete_account(self.owner))
        self.end(lambda grant: grant.owner == self.owner)
        self.be_born()

    def switch_client_off(self, app: int) -> None:
        chosen = self.apps[app % APPS]
        self.run(self.clients.disable_client(chosen.client.key, actor=None))
        chosen.is_on = False
        self.end(lambda grant: grant.app is chosen)

    def delete_client(self, app: int) -> None:
        gone = self.apps[app % APPS]
        self.run(self.clients.delete_client(gone.client.key, check_version=lambda _: None, actor=None))
        gone.is_there = False
        self.end(lambda grant: grant.app is gone)
        self.register(app % APPS)

    def rotate_keys(self, _: int) -> None:
        self.run(rotate_keys(self.house.runtime, self.house.runtime.unit()))

    @rule(passing=st.sampled_from(PASSING))
    def wait(self, passing: timedelta) -> None:
        self.house.clock.advance(passing)

    # What clients do.

    @precondition(lambda self: self.grants)
    @rule(grant=PICK, aim=PICK)
    def exchange(self, grant: int, aim: int) -> None:
        """Show a code, for the first time or once more."""
        shown, now = self.grants[grant % len(self.grants)], self.now
        resource = self.target_of(shown, aim)
        answer = self.run(self.house.exchanged(shown.app.client, {"code": shown.code}, resource=resource))
        if not shown.app.is_good:
            self.expect(answer, shown.app.refusal)
        elif shown.refuses_code(now):
            self.expect(answer, "invalid_grant")
            shown.is_over |= shown.is_spent
        elif len(shown.resources) > 1 and resource is None:
            self.expect(answer, "invalid_target")
        else:
            self.expect(answer, None)
            shown.is_spent, shown.began_at, shown.rotated_at = True, now, now
            shown.tokens.append(answer.json()["refresh_token"])
            self.take(answer, shown, resource, shown.scopes_for(resource))

    @precondition(lambda self: self.lines)
    @rule(grant=PICK, age=st.sampled_from([0, 0, 0, 1, 1, 2, 5]), aim=PICK, scopes=st.integers(0, 5))
    def refresh(self, grant: int, age: int, aim: int, scopes: int) -> None:
        """Show a refresh token of any age, for all that was granted, for less, or for more."""
        shown, now = self.lines[grant % len(self.lines)], self.now
        generation = max(0, len(shown.tokens) - 1 - age)
        resource = self.target_of(shown, aim)
        wanted = {0: sorted(shown.scopes)[:1], 1: ["user:organization:admin"]}.get(scopes)
        given = {"resource": resource, "scope": " ".join(wanted) if wanted else None}
        answer = self.run(self.house.refreshed(shown.app.client, shown.tokens[generation], **given))
        if not shown.app.is_good:
            self.expect(answer, shown.app.refusal)
            return
        outcome = shown.outcome(generation, now)
        if outcome in {"invalid", "replayed"}:
            self.expect(answer, "invalid_grant")
            shown.is_over |= outcome == "replayed"
        elif scopes == 1:
            self.expect(answer, "invalid_scope")
        elif len(shown.resources) > 1 and resource is None:
            self.expect(answer, "invalid_target")
        else:
            self.expect(answer, None)
            self.rotate(shown, outcome, answer.json()["refresh_token"])
            granted = shown.scopes_for(resource)
            self.take(answer, shown, resource, granted & frozenset(wanted) if wanted else granted)

    @precondition(lambda self: self.lines)
    @rule(grant=PICK, generation=PICK)
    def give_back_refresh_token(self, grant: int, generation: int) -> None:
        shown = self.lines[grant % len(self.lines)]
        token = shown.tokens[generation % len(shown.tokens)]
        answer = self.run(revoked(self.house, shown.app.client, token))
        if shown.app.is_good:
            assert answer.status_code == 200, answer.text
            shown.is_over = True
        else:
            self.expect(answer, shown.app.refusal)

    @precondition(lambda self: self.accesses)
    @rule(access=PICK)
    def give_back_access_token(self, access: int) -> None:
        shown = self.accesses[access % len(self.accesses)]
        answer = self.run(revoked(self.house, shown.grant.app.client, shown.text))
        if shown.grant.app.is_good:
            assert answer.status_code == 200, answer.text
            shown.is_revoked = True
        else:
            self.expect(answer, shown.grant.app.refusal)

    @precondition(lambda self: self.lines)
    @rule(grant=PICK, age=st.sampled_from([0, 1, 3]))
    def ask_about_refresh_token(self, grant: int, age: int) -> None:
        shown = self.lines[grant % len(self.lines)]
        self.look_into_line(shown, max(0, len(shown.tokens) - 1 - age))

    # What must be true at any time.

    @invariant()
    def what_has_begun_or_ended_is_good_or_is_not(self) -> None:
        """Show at every place what the last step has changed."""
        now = self.now
        for access in self.accesses:
            if self.was_good.get(access.text, False) != access.is_good(now):
                self.was_good[access.text] = access.is_good(now)
                self.check(access)
        for grant in self.lines:
            if self.was_good.get(grant.code, False) != grant.is_line_good(now):
                self.was_good[grant.code] = grant.is_line_good(now)
                self.look_into_line(grant, len(grant.tokens) - 1)

    def teardown(self) -> None:
        for access in getattr(self, "accesses", ()):
            self.check(access)

    def check(self, access: Access) -> None:
        """Show an access token at userinfo, at our API, and to who tells what it is worth."""
        self.look_at_userinfo(access)
        self.look_at_api(access)
        self.look_into(access)

    def look_at_userinfo(self, access: Access) -> None:
        status = self.run(told(self.house, access.text)).status_code
        assert status == self.status_of(access, ISSUER, "openid"), (status, access)

    def look_at_api(self, access: Access) -> None:
        self.house.http.cookies.clear()
        asked = self.house.http.get(f"{API}/users/me", headers={"Authorization": f"Bearer {access.text}"})
        status = self.run(asked).status_code
        assert status == self.status_of(access, OWN_API, "user:self:read"), (status, access)

    def look_into(self, access: Access) -> None:
        owner = access.grant.app
        answer = self.run(introspected(self.house, owner.client, access.text))
        if not owner.may_ask:
            self.expect(answer, owner.refusal if owner.client.secret else "invalid_client")
        else:
            assert answer.json()["active"] == access.is_good(self.now), (answer.text, access)
        for stranger in self.apps:
            if stranger is not owner and stranger.may_ask:
                assert self.run(introspected(self.house, stranger.client, access.text)).json() == {
                    "active": False
                }

    def look_into_line(self, grant: Grant, generation: int) -> None:
        answer = self.run(introspected(self.house, grant.app.client, grant.tokens[generation]))
        if not grant.app.may_ask:
            self.expect(answer, grant.app.refusal if grant.app.client.secret else "invalid_client")
            return
        is_leaf = generation == len(grant.tokens) - 1
        assert answer.json()["active"] == (is_leaf and grant.is_line_good(self.now)), (answer.text, grant)

    def status_of(self, access: Access, audience: str, scope: str) -> int:
        if access.audience != audience or not access.is_good(self.now):
            return 401
        return 200 if scope in access.scopes else 403

    # How it is done.

    def run(self, asked: Coroutine[Any, Any, Any]) -> Any:
        """Ask the server, whose loop runs in another thread."""
        return asyncio.run_coroutine_threadsafe(asked, self.loop).result(60)

    @property
    def now(self) -> datetime:
        return self.house.clock.now()

    @property
    def lines(self) -> list[Grant]:
        return [grant for grant in self.grants if grant.tokens]

    @property
    def users(self) -> Users:
        return Users(self.house.runtime, self.house.runtime.unit())

    @property
    def sessions(self) -> Sessions:
        return Sessions(self.house.runtime, self.house.runtime.unit())

    @property
    def clients(self) -> ClientAdministration:
        return ClientAdministration(self.house.runtime, self.house.runtime.unit())

    def be_born(self) -> None:
        """Make a person who is signed in nowhere."""
        self.name = f"life{next(NAMES)}"
        self.account = self.run(add_person(self.house.runtime, f"{self.name}@example.org"))
        self.owner = self.account.id
        self.is_active, self.password = True, PASSWORD
        self.leave()

    def register(self, place: int) -> None:
        """Put a new client where one was."""
        made = self.run(self.house.client() if place else self.house.public_client())
        self.apps[place : place + 1] = [App(made)]

    def sign_in(self) -> None:
        """Open a session of the browser."""
        opened = self.run(self.opened(Transport.PAGE))
        self.house.people[self.name] = Person(self.account, opened, "", opened.cookie)
        self.session_id, self.entered_at = opened.session.id, self.now

    def leave(self) -> None:
        """Note that the browser is signed in no more."""
        self.entered_at = None

    async def opened(self, transport: Transport) -> OpenedSession:
        opening = SessionOpening(self.house.runtime, self.house.runtime.unit())
        return await opening.open(self.owner, amr=(AuthMethod.PASSWORD,), transport=transport)

    def by_the_person(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        """Ask our API in a session that is opened for it and ended again."""
        opened = self.run(self.opened(Transport.BODY))
        token = self.house.runtime.get(AccessTokens).mint(opened.session).value
        self.house.http.cookies.clear()
        asked = self.house.http.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
        answer: httpx2.Response = self.run(asked)
        self.run(self.sessions.log_out(self.owner, opened.session.id))
        return answer

    def end(self, is_meant: Any) -> None:
        for grant in self.grants:
            grant.is_over |= is_meant(grant)

    def target_of(self, grant: Grant, aim: int) -> str | None:
        """Return which resource a request names: of several one, or none."""
        return [None, *grant.resources][aim % (1 + len(grant.resources))]

    def rotate(self, grant: Grant, outcome: str, child: str) -> None:
        if outcome == "rotated":
            grant.tokens.append(child)
            grant.rotated_at = self.now
        assert child == grant.tokens[-1], "a second child of one parent"

    def take(
        self, answer: httpx2.Response, grant: Grant, resource: str | None, scopes: frozenset[str]
    ) -> None:
        """Take the access token of an answer that says what it may do."""
        given = answer.json()
        assert set(given["scope"].split()) == scopes
        audience = resource or (grant.resources[0] if grant.resources else ISSUER)
        over_at = int(self.now.timestamp()) + ACCESS.total_seconds()
        self.accesses.append(Access(given["access_token"], grant, audience, scopes, over_at))

    def expect(self, answer: httpx2.Response, error: str | None) -> None:
        status = 200 if error is None else 401 if error == "invalid_client" else 400
        assert (answer.status_code, answer.json().get("error")) == (status, error), answer.text


@pytest.mark.bar("P5", "P6", "P7", "CHECK-8", "CHECK-12", "A1-1.10", "A1-1.17", "A9-9.1", "A10-10.1")
async def test_every_step_of_a_grant_is_answered_as_the_model_says(lasting_house: House) -> None:
    GrantLife.house, GrantLife.loop = lasting_house, asyncio.get_running_loop()

    await asyncio.to_thread(run_state_machine_as_test, GrantLife, settings=PROFILE)
