"""Whatever fails on the way, nothing is half done, nothing is granted, and the same request works afterwards.

Every route that changes something is asked with something planted: an error at its first statement, its second, and
so on to the last, at every commit, and at every failpoint on its way. What is stored afterwards is what was there
before, or all of it: never a part, and never nothing behind an answer that says it was done (RELIABILITY_BAR P3).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Never

import httpx2
import pytest
from sqlalchemy import event

from portico.access.services import RoleAuthorizer
from portico.core import failpoints
from portico.credentials.passwords import Passwords
from portico.credentials.policy import PasswordPolicy
from portico.credentials.services import Guessing, PasswordProofs, PasswordReauthentication, TokenAdmission
from portico.http.edge.addresses import ClientAddresses
from portico.http.edge.forgery import ForgeryCheck
from portico.http.edge.hosts import HostPolicy
from portico.keys.services import Keyring
from portico.mail.messages import OutgoingMail
from portico.mail.transports import Transport, TransportDown
from portico.runtime import Runtime
from portico.sessions.authenticators import BearerAuthenticator, CookieAuthenticator
from portico.sessions.services.believed import BelievedPrincipals
from portico.testing.mail import CapturedMails, MemoryTransport, flush_mail
from portico.tokens.services import OneTimeTokens, TokenFamilies
from tests.access_matrix.scene import Scene
from tests.access_matrix.table import COLUMNS, Row, read_table
from tests.integration.ground import SCALE, TRACE_OF_CODE, TRACES, stored
from tests.sessions.people import FAST_HASHES

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
TWO_ACTS = {"POST /signup", "POST /verify"}
"""Pages that sign in who has just signed up or proven an address: if only that fails, he signs in by himself."""
ONCE = {"POST /api/v1/admin/keys/rotate"}
"""Done once there is nothing more to do; `tests/keys` lets it fail."""
PARTS = 4
"""Into so many runs the routes are split."""
CREDENTIALS = ("access_token", "refresh_token", '"secret"')
EVERY = 1 if SCALE > 1 else 40
"""In the quick run each fortieth statement fails, others on the other database; at a larger scale each one."""


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    most = {"free_guesses": 50, "stranger_guesses": 90, "device_guesses": 90}
    unlimited = {"invitation_mails": "", "invitation_mails_to_one": "", "domain_checks": ""}
    return {
        "credentials": {**FAST_HASHES, **most},
        "organizations": unlimited,
        "logging": {"access": False},
    }


class Planted(RuntimeError):
    """What fails here."""


@dataclass(slots=True)
class Fault:
    """Counts statements and commits of all connections, and lets one of them fail."""

    at: int = -1
    seen: int = 0
    points: list[str] = field(default_factory=list)
    error: Callable[[], Exception] = Planted

    def step(self, *_: Any) -> None:
        """Count one more; raise if it is the one."""
        self.seen += 1
        if self.seen - 1 == self.at:
            raise self.error()


@contextmanager
def planted(runtime: Runtime, fault: Fault) -> Iterator[Fault]:
    """Let `fault` see every statement and commit of the block."""
    engines = [runtime.database.writer.sync_engine, runtime.database.reader.sync_engine]
    hooks: Sequence[tuple[str, Any]] = (("before_cursor_execute", fault.step), ("commit", fault.step))
    for engine in engines:
        for name, hook in hooks:
            event.listen(engine, name, hook)
    try:
        yield fault
    finally:
        for engine in engines:
            for name, hook in hooks:
                event.remove(engine, name, hook)


@contextmanager
def failing_at(point: str | None, reached: list[str]) -> Iterator[None]:
    """Arm every failpoint: `point` fails, the others write down that they were reached."""

    async def noted(name: str) -> None:
        reached.append(name)

    class Armed(dict[str, failpoints.Action]):
        def get(self, name: str, default: Any = None) -> Any:
            return failpoints.raising(Planted(name)) if name == point else noted

    present = failpoints.armed
    failpoints.armed = Armed({"all": noted})
    try:
        yield
    finally:
        failpoints.armed = present


def rows_that_change() -> list[tuple[Row, str]]:
    """Return the routes that change something, each with a caller who may."""
    found = []
    for row in read_table().values():
        may = [column for column in ("anonymous", "user", "superuser") if row.statuses[column] < 400]
        if row.method in UNSAFE and may and row.name not in ONCE:
            found.append((row, may[0]))
    return found


@dataclass(slots=True)
class Trial:
    """One route under all its faults."""

    client: httpx2.AsyncClient
    runtime: Runtime
    scene: Scene
    row: Row
    column: str
    wrong: list[str] = field(default_factory=list)
    request: httpx2.Request | None = None
    before: dict[str, str] = field(default_factory=dict)

    async def run(self, first: int) -> list[str]:
        """Let everything fail once; return what was wrong."""
        steps, points, changed = await self._measured()
        for at in range(first, steps, EVERY):
            await self._attempt(f"step {at} of {steps}", changed, Fault(at), None)
        for point in points:
            await self._attempt(point, changed, Fault(), point)
        answer = await self._asked()
        if answer.status_code != self.row.statuses[self.column]:
            self._tell(f"does not work afterwards: {answer.status_code} {answer.text[:200]}")
        return self.wrong

    async def _measured(self) -> tuple[int, list[str], set[str]]:
        """Return statements and commits, failpoints and changed tables of the request when all is well."""
        await self._renew()
        request, reached = await self._prepared(), list[str]()
        with planted(self.runtime, Fault()) as fault, failing_at(None, reached):
            answer = await self.client.send(request)
        if answer.status_code != self.row.statuses[self.column]:
            self._tell(f"{answer.status_code}: {answer.text[:200]}")
        changed = await self._changed()
        await self._renew()
        return fault.seen, list(dict.fromkeys(reached)), changed

    async def _attempt(self, told: str, whole: set[str], fault: Fault, point: str | None) -> None:
        request = await self._prepared()
        with planted(self.runtime, fault), failing_at(point, []):
            answer = await self.client.send(request)
        changed = await self._changed()
        if changed and changed != whole and not self._is_first_act(changed, whole):
            self._tell(f"{told}: wrote {sorted(changed)} of {sorted(whole)}")
        if whole and not changed and answer.status_code < 400:
            self._tell(f"{told}: {answer.status_code}, and nothing is stored")
        if answer.status_code >= 400:
            self._check_refusal(told, answer)
        if changed:
            await self._renew()

    def _is_first_act(self, changed: set[str], whole: set[str]) -> bool:
        return self.row.name in TWO_ACTS and changed == whole - {"portico_sessions"}

    def _check_refusal(self, told: str, answer: httpx2.Response) -> None:
        if any(word in answer.text for word in CREDENTIALS) or "set-cookie" in answer.headers:
            self._tell(f"{told}: gives a credential away with {answer.status_code}")
        if TRACE_OF_CODE.search(answer.text) or "Planted" in answer.text:
            self._tell(f"{told}: tells of the inside: {answer.text[:200]}")

    async def _prepared(self) -> httpx2.Request:
        """Return the request; the same one again as long as nothing has changed."""
        if self.request is None:
            self.request = await self.scene.request(self.row, self.column)
            self.before = await stored(self.runtime, but=TRACES)
        return self.request

    async def _asked(self) -> httpx2.Response:
        return await self.client.send(await self._prepared())

    async def _changed(self) -> set[str]:
        self.client.cookies.clear()
        after = await stored(self.runtime, but=TRACES)
        return {name for name in self.before if self.before[name] != after[name]}

    async def _renew(self) -> None:
        self.request = None
        await self.scene.renew("ada", *(["grace"] if self.column == "superuser" else []))

    def _tell(self, what: str) -> None:
        self.wrong.append(f"{self.row.name}: {what}")


@pytest.mark.bar("P3", "CHECK-24", "ASVS-2.3.3", "ASVS-16.5.2", "ASVS-16.5.3", "T5", "ASVS-16.5.1")
@pytest.mark.parametrize("part", range(PARTS))
async def test_what_fails_on_the_way_leaves_all_or_nothing(
    client: httpx2.AsyncClient, runtime: Runtime, scene: Scene, database_kind: str, part: int
) -> None:
    wrong: list[str] = []
    for row, column in rows_that_change()[part::PARTS]:
        wrong += await Trial(client, runtime, scene, row, column).run(
            first=EVERY // 2 * (database_kind == "sqlite")
        )

    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.bar("CHECK-24", "ASVS-16.5.2", "ASVS-16.5.3")
@pytest.mark.parametrize(
    "error", [Planted, ConnectionRefusedError], ids=["a fault of ours", "the database is away"]
)
async def test_a_check_that_cannot_be_made_lets_nobody_in(
    client: httpx2.AsyncClient, runtime: Runtime, scene: Scene, error: Callable[[], Exception]
) -> None:
    wrong: list[str] = []
    for row in read_table().values():
        for column in [column for column in COLUMNS if row.statuses[column] in {401, 403, 404}]:
            request = await scene.request(row, column)
            for at in range(3):
                with planted(runtime, Fault(at, error=error)) as fault:
                    answer = await client.send(request)
                client.cookies.clear()
                if answer.status_code < 400:
                    wrong.append(f"{row.name}: {column} gets {answer.status_code} when step {at} fails")
                if fault.seen <= at:
                    break

    assert not wrong, "\n".join(["", *wrong])


class NoMail(Transport):
    """A mail server that is away."""

    async def send(self, mail: OutgoingMail) -> None:
        raise TransportDown("the mail server is away")

    async def check(self) -> str:
        raise TransportDown("the mail server is away")


@pytest.mark.bar("CHECK-24", "ASVS-16.5.2", "P9")
async def test_without_a_mail_server_mail_waits_and_nothing_else_does(
    client: httpx2.AsyncClient, runtime: Runtime, scene: Scene, mails: CapturedMails
) -> None:
    runtime.provide(Transport, NoMail())
    wish = {"email": "eve@example.net", "password": "paper clip orange thunder"}

    answer = await client.post("/api/v1/auth/register", json=wish)
    assert (answer.status_code, len(mails)) == (201, 0)

    runtime.provide(Transport, transport := MemoryTransport())
    scene.clock.advance(timedelta(hours=1))
    await flush_mail(runtime)
    assert len(CapturedMails(transport).to("eve@example.net")) == 1  # others wait since the scene was made


@pytest.mark.bar("CHECK-24", "P19", "P39", "ASVS-16.5.2")
@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize(
    "settings_overrides",
    [
        {
            "credentials": FAST_HASHES,
            "redis": {"url": "redis://127.0.0.1:1/0"},
            "rate_limit": {"enabled": True, "sign_in": "5/minute"},
        }
    ],
    ids=[""],
)
async def test_without_redis_limits_are_neither_open_nor_shut(
    client: httpx2.AsyncClient, scene: Scene
) -> None:
    wrong = {"identifier": "nobody@example.org", "password": "not this one"}

    statuses = [(await client.post("/api/v1/auth/login", json=wrong)).status_code for _ in range(8)]

    assert statuses == [401] * 5 + [429] * 3


CHECKS_OF_ALL: dict[str, tuple[type, str]] = {
    "who may": (RoleAuthorizer, "decide"),
    "the bearer": (BearerAuthenticator, "authenticate"),
    "the cookie": (CookieAuthenticator, "authenticate"),
    "the key ring": (Keyring, "verify"),
    "what is believed": (BelievedPrincipals, "find"),
    "what is loaded": (BelievedPrincipals, "load"),
    "the origin": (ForgeryCheck, "check_origin"),
    "the form's token": (ForgeryCheck, "check_token"),
    "the host": (HostPolicy, "judge"),
    "the client's address": (ClientAddresses, "find"),
}
"""Checks that stand before the routes."""
CHECKS_OF_ACTS: dict[str, tuple[type, str, Sequence[str]]] = {
    "the password": (
        Passwords,
        "verify",
        ("POST /api/v1/auth/login", "POST /api/v1/auth/token", "POST /login", "POST /account/password",
         "POST /api/v1/auth/password/change", "POST /api/v1/auth/email/change", "DELETE /api/v1/users/me"),
    ),
    "the count of guesses": (
        Guessing,
        "reserve",
        ("POST /api/v1/auth/login", "POST /login", "POST /api/v1/auth/password/change", "DELETE /api/v1/users/me"),
    ),
    "that the password is still the same": (
        PasswordProofs, "accept", ("POST /api/v1/auth/login", "POST /login", "POST /api/v1/auth/password/change")
    ),
    "the link": (
        OneTimeTokens, "redeem",
        ("POST /api/v1/auth/email/verify", "POST /api/v1/auth/password/reset", "POST /reset", "POST /verify"),
    ),
    "the generation": (TokenFamilies, "read", ("POST /api/v1/auth/refresh",)),
    "who is admitted": (TokenAdmission, "examine", ("POST /api/v1/auth/register", "POST /signup")),
    "who is admitted, again": (TokenAdmission, "admit", ("POST /api/v1/auth/register", "POST /signup")),
    "what a password must be": (
        PasswordPolicy, "check",
        ("POST /api/v1/auth/register", "POST /signup", "POST /api/v1/auth/password/reset", "POST /reset",
         "POST /api/v1/auth/password/change", "POST /account/password"),
    ),
    "that he is himself": (
        PasswordReauthentication, "confirm",
        ("POST /api/v1/auth/email/change", "POST /account/email", "DELETE /api/v1/users/me",
         "POST /account/data/delete"),
    ),
}  # fmt: skip
"""Checks inside of acts, with the routes that must not do them without."""


def _raise(*_: Any, **__: Any) -> Never:
    raise Planted


@pytest.mark.bar("CHECK-24", "ASVS-16.5.3", "ASVS-16.5.2", "T5")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_check_that_breaks_lets_nobody_in(
    client: httpx2.AsyncClient, runtime: Runtime, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong: list[str] = []
    rows = read_table()
    cells = [
        (row, column, await scene.request(row, column))
        for row in rows.values()
        for column in ("anonymous", "ended", "other", "forged")
        if row.statuses[column] in {401, 403}
    ]
    before = await stored(runtime, but=TRACES)
    for check, (owner, method) in CHECKS_OF_ALL.items():
        with monkeypatch.context() as patched:
            patched.setattr(owner, method, _raise)
            for row, column, request in cells:
                answer = await client.send(request)
                client.cookies.clear()
                if answer.status_code < 400:
                    wrong.append(f"{check} breaks: {row.name}: {column} gets {answer.status_code}")
    assert await stored(runtime, but=TRACES) == before
    for check, (owner, method, names) in CHECKS_OF_ACTS.items():
        for name in names:
            column = "anonymous" if rows[name].needs == "public" else "user"
            request = await scene.request(rows[name], column)
            before = await stored(runtime, but=TRACES)
            with monkeypatch.context() as patched:
                patched.setattr(owner, method, _raise)
                answer = await client.send(request)
            client.cookies.clear()
            if answer.status_code < 500 or await stored(runtime, but=TRACES) != before:
                wrong.append(f"{check} breaks: {name}: {answer.status_code}")
    assert not wrong, "\n".join(["", *wrong])
