"""Server processes on one database, asked over HTTP: races, replays, and what is over on one is over on all.

One node rests a little between reading and writing, so that racers meet; its refreshes take the long way, statement by
statement. The two others go as fast as they can, a refresh in one trip. `PORTICO_TEST_SCALE` asks for more rounds.
"""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from portico.app import default_features
from portico.composition import chains_of, compose, opened
from portico.core.settings import Settings
from portico.credentials.models import PasswordCredential
from portico.credentials.passwords import Passwords
from portico.credentials.services import RegistrationTokens
from portico.runtime import Runtime
from portico.testing.templates import DatabaseTemplates
from portico.tokens.services import OneTimeTokens
from portico.tokens.types import TokenPurpose
from portico.users.addresses import parse_address
from portico.users.services import NewUser, Users
from portico.users.types import Account
from tests.integration.ground import API, SCALE, Person, enter
from tests.sessions.people import FAST_HASHES, PASSWORD

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]

PROGRAM = Path(__file__).with_name("node.py")
HOST = "portico.test"
DELAYS = {
    "tokens.rotate.before_write": 0.005,
    "tokens.rotate.after_write": 0.005,
    "tokens.redeem.before_write": 0.005,
    "tokens.redeem.after_write": 0.005,
}
GRACES = ("10", "0")
NAMES = count(1)
NEW_PASSWORD = "paper clip orange thunder"


@dataclass(slots=True)
class Deployment:
    """The nodes as clients see them, and the database as the test sees it."""

    runtime: Runtime
    password_hash: str
    nodes: dict[str, list[httpx2.AsyncClient]]

    async def person(self) -> Person:
        """Return somebody new who is signed in."""
        return await enter(self.runtime, await self.account(), at_pages=False)

    async def account(self, *, verified: bool = True) -> Account:
        """Return somebody new."""
        unit = self.runtime.unit()
        async with unit:
            address = parse_address(f"node{next(NAMES)}.{uuid4().hex[:8]}@example.org")
            account = await Users(self.runtime, unit).create_user(
                NewUser(email=address, email_verified=verified)
            )
            now = self.runtime.clock.now()
            unit.session.add(
                PasswordCredential(user_id=account.id, password_hash=self.password_hash, changed_at=now)
            )
        return account

    async def raced(
        self,
        racers: int,
        ask: Callable[[httpx2.AsyncClient, int], Awaitable[httpx2.Response]],
        grace: str = "10",
    ) -> list[httpx2.Response]:
        """Return what racers got who asked all nodes at once."""
        nodes = self.nodes[grace]
        return list(
            await asyncio.gather(*(ask(nodes[number % len(nodes)], number) for number in range(racers)))
        )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def settings_given(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    database_templates: DatabaseTemplates,
) -> Iterator[dict[str, Any]]:
    """The settings that the nodes share, on an empty database."""
    folder, chains = tmp_path_factory.mktemp("nodes"), chains_of(default_features())
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = database_templates.sqlite(folder / "portico.db", chains)
        else:
            url = stack.enter_context(database_templates.postgres(chains))
        yield {
            "environment": "test",
            "public_url": f"http://{HOST}",
            "secret_key": "a root secret that two nodes have in common",
            "data_dir": str(folder),
            "database": {"url": url, "pool_size": 5, "pool_overflow": 20},
            "rate_limit": {"enabled": False},
            "logging": {"access": False, "level": "error"},
            "credentials": FAST_HASHES,
        }


@pytest.fixture(scope="module")
def ports(settings_given: dict[str, Any]) -> Iterator[dict[str, list[int]]]:
    """Node processes; each serves one application with the default grace and one with none."""
    applications = {
        grace: {**settings_given, "sessions": {"refresh_grace_seconds": int(grace)}} for grace in GRACES
    }
    orders = [json.dumps({"applications": applications, "delays": delays}) for delays in (DELAYS, {}, {})]
    processes = [
        subprocess.Popen([sys.executable, str(PROGRAM), order], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for order in orders
    ]
    told = [json.loads(process.stdout.readline()) for process in processes if process.stdout]
    yield {grace: [each[grace] for each in told] for grace in GRACES}
    for process in processes:
        process.communicate(timeout=30)


@pytest.fixture
async def deployment(
    settings_given: dict[str, Any], ports: dict[str, list[int]]
) -> AsyncIterator[Deployment]:
    async with AsyncExitStack() as stack:
        nodes = {
            grace: [await stack.enter_async_context(client_of(port)) for port in all_of_them]
            for grace, all_of_them in ports.items()
        }
        runtime = compose(Settings(**settings_given), default_features())
        await stack.enter_async_context(opened(runtime, follows=False))
        yield Deployment(runtime, await runtime.get(Passwords).hash(PASSWORD), nodes)


def client_of(port: int) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=64, max_keepalive_connections=64)
    return httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers={"Host": HOST}, timeout=60, limits=limits, cookies=None
    )


async def refresh(node: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await node.post(f"{API}/auth/refresh", json={"refresh_token": token})


async def who_am_i(node: httpx2.AsyncClient, token: str) -> int:
    return (await node.get(f"{API}/users/me", headers={"Authorization": f"Bearer {token}"})).status_code


@pytest.mark.bar("P5", "CHECK-8", "ASVS-10.4.5", "R8")
@pytest.mark.parametrize("racers", [2, 10, 50])
async def test_all_racers_of_all_nodes_get_the_same_child(deployment: Deployment, racers: int) -> None:
    person = await deployment.person()

    answers = await deployment.raced(racers, lambda node, _: refresh(node, person.refresh_token))

    assert {answer.status_code for answer in answers} == {200}
    children = {answer.json()["refresh_token"] for answer in answers}
    assert len(children) == 1
    first, second, _ = deployment.nodes["10"]
    assert await who_am_i(first, answers[-1].json()["access_token"]) == 200
    assert await who_am_i(second, answers[0].json()["access_token"]) == 200
    assert (await refresh(second, children.pop())).status_code == 200


@pytest.mark.bar("P5", "CHECK-8")
@pytest.mark.parametrize("racers", [2, 10, 50])
async def test_without_a_grace_one_racer_of_all_nodes_succeeds(deployment: Deployment, racers: int) -> None:
    person = await deployment.person()

    answers = await deployment.raced(racers, lambda node, _: refresh(node, person.refresh_token), grace="0")

    assert sorted(answer.status_code for answer in answers) == [200, *[401] * (racers - 1)]


@pytest.mark.bar("P6", "P34", "CHECK-8", "R9", "ASVS-10.4.5", "ASVS-7.4.1")
@pytest.mark.parametrize("generation", [0, 2])
async def test_an_ancestor_ends_the_session_on_all_nodes(deployment: Deployment, generation: int) -> None:
    person, nodes = await deployment.person(), deployment.nodes["10"]
    tokens, access = [person.refresh_token], person.access_token
    for step in range(4):
        answer = (await refresh(nodes[step % 3], tokens[-1])).json()
        tokens.append(answer["refresh_token"])
        access = answer["access_token"]
    assert [await who_am_i(node, access) for node in nodes] == [200, 200, 200]

    replayed = await refresh(nodes[generation], tokens[generation])

    assert (replayed.status_code, replayed.json()["code"]) == (401, "refresh_token_reused")
    assert [await who_am_i(node, access) for node in nodes] == [401, 401, 401]
    late = [(await refresh(node, token)).status_code for node in nodes for token in tokens]
    assert late == [401] * 15


type Ending = Callable[[httpx2.AsyncClient, Person], Awaitable[httpx2.Response]]


async def log_out(node: httpx2.AsyncClient, person: Person) -> httpx2.Response:
    return await node.post(f"{API}/auth/logout", headers=person.bearer)


async def log_out_by_refresh_token(node: httpx2.AsyncClient, person: Person) -> httpx2.Response:
    return await node.post(f"{API}/auth/logout", json={"refresh_token": person.refresh_token})


async def log_out_everywhere(node: httpx2.AsyncClient, person: Person) -> httpx2.Response:
    return await node.post(f"{API}/auth/logout-all", headers=person.bearer)


async def end_session(node: httpx2.AsyncClient, person: Person) -> httpx2.Response:
    return await node.delete(f"{API}/auth/sessions/{person.session_id}", headers=person.bearer)


async def delete_account(node: httpx2.AsyncClient, person: Person) -> httpx2.Response:
    return await node.delete(f"{API}/users/me", headers=person.bearer)


ENDINGS: Sequence[Ending] = (
    log_out,
    log_out_by_refresh_token,
    log_out_everywhere,
    end_session,
    delete_account,
)


@pytest.mark.bar("P6", "P34", "CHECK-3", "ASVS-7.4.1", "CVE-2023-22492")
async def test_what_is_over_on_one_node_is_refused_by_another_at_once(deployment: Deployment) -> None:
    nodes = deployment.nodes["10"]
    late: list[str] = []
    for number in range(15 * SCALE):
        here, there = nodes[number % 3], nodes[(number + 1 + number % 2) % 3]
        person, ending = await deployment.person(), ENDINGS[number % len(ENDINGS)]
        assert [await who_am_i(node, person.access_token) for node in (here, there, there)] == [200] * 3

        ended = await ending(here, person)
        seen = [await who_am_i(there, person.access_token), await who_am_i(here, person.access_token)]

        assert ended.status_code in {200, 204}, ended.text
        late += [f"{ending.__name__}: {seen}"] if seen != [401, 401] else []
        late += [ending.__name__] if (await refresh(there, person.refresh_token)).status_code != 401 else []
    assert not late, late


@dataclass(slots=True)
class History:
    """When operations on one session began and ended, and whether each found it alive."""

    observed: list[tuple[float, float, bool]] = field(default_factory=list)
    revoked: tuple[float, float] = (0.0, 0.0)

    async def look(self, ask: Awaitable[bool]) -> None:
        """Do one operation and write it down."""
        begun = time.perf_counter()
        alive = await ask
        self.observed.append((begun, time.perf_counter(), alive))

    def anomalies(self) -> list[str]:
        """Return what no order of the operations can explain.

        The session is a register that goes from alive to ended once. An order exists exactly if nothing was found
        ended before the revocation began, and nothing alive that began after the first proof of the end: the
        revocation's answer, or that of an operation which found it ended.
        """
        asked, acknowledged = self.revoked
        known = min([acknowledged, *(ended for _, ended, alive in self.observed if not alive)])
        early = [
            f"ended {asked - ended:.4f} s too early"
            for _, ended, alive in self.observed
            if not alive and ended < asked
        ]
        late = [
            f"alive {begun - known:.4f} s too late"
            for begun, _, alive in self.observed
            if alive and begun > known
        ]
        return [*early, *late]


@pytest.mark.bar("P34", "P6", "CHECK-8")
async def test_sessions_are_linearizable_over_all_nodes(deployment: Deployment) -> None:
    chance = random.Random(20261120)
    anomalies: list[str] = []
    for number in range(6 * SCALE):
        history = await _history(deployment, chance, ENDINGS[number % 4])
        assert any(alive for _, _, alive in history.observed)
        assert any(not alive for _, _, alive in history.observed)
        anomalies += history.anomalies()
    assert not anomalies, anomalies


async def _history(deployment: Deployment, chance: random.Random, ending: Ending) -> History:
    """Let four clients look at a session on all nodes, one of them by refreshing, while it is ended."""
    person, history, nodes = await deployment.person(), History(), deployment.nodes["10"]
    token = [person.refresh_token]
    over = asyncio.Event()

    async def looks(node: httpx2.AsyncClient) -> None:
        after = 0
        while after < 3:
            after += over.is_set()
            await history.look(_is_alive(node, person.access_token))
            await asyncio.sleep(chance.random() * 0.004)

    async def refreshes() -> None:
        after = 0
        while after < 2:
            after += over.is_set()
            await history.look(_refreshed(chance.choice(nodes), token))
            await asyncio.sleep(chance.random() * 0.01)

    async def ends() -> None:
        await asyncio.sleep(0.06 + chance.random() * 0.03)
        begun = time.perf_counter()
        answer = await ending(chance.choice(nodes), person)
        history.revoked = (begun, time.perf_counter())
        assert answer.status_code in {200, 204}, answer.text
        over.set()

    await asyncio.gather(looks(nodes[0]), looks(nodes[1]), looks(nodes[2]), refreshes(), ends())
    return history


async def _is_alive(node: httpx2.AsyncClient, token: str) -> bool:
    return await who_am_i(node, token) == 200


async def _refreshed(node: httpx2.AsyncClient, token: list[str]) -> bool:
    answer = await refresh(node, token[0])
    if answer.status_code == 200:
        token[0] = answer.json()["refresh_token"]
    return answer.status_code == 200


async def test_the_checker_of_histories_sees_what_is_wrong() -> None:
    fine = History([(0, 1, True), (2, 3, True), (2.5, 3.5, False), (5, 6, False)], (2, 4))
    late = History([(0, 1, True), (4.5, 5, True)], (2, 4))
    back = History([(2.1, 2.5, False), (2.6, 2.9, True)], (2, 4))
    early = History([(0, 1, False)], (2, 4))

    assert [len(each.anomalies()) for each in (fine, late, back, early)] == [0, 1, 1, 1]


@pytest.mark.bar("P7", "CHECK-12", "ASVS-6.5.1", "CVE-2025-46815")
@pytest.mark.parametrize("act", ["reset", "verify", "code", "invitation"])
async def test_what_is_good_once_is_good_once_on_all_nodes(deployment: Deployment, act: str) -> None:
    racers = 20 if act in {"reset", "invitation"} else 50
    ask = await ONCE[act](deployment)

    answers = await deployment.raced(racers, ask)
    again = [await ask(node, racers + 1) for node in deployment.nodes["10"]]

    statuses = [answer.status_code for answer in answers]
    assert sum(status < 300 for status in statuses) == 1, statuses
    # Guesses at a code are counted besides, on each node: 429.
    assert all(status in {400, 410, 429} for status in statuses if status >= 300), statuses
    assert all(answer.status_code in {400, 410, 429} for answer in again)


type Ask = Callable[[httpx2.AsyncClient, int], Awaitable[httpx2.Response]]


async def _issued(deployment: Deployment, purpose: TokenPurpose) -> tuple[Account, Any]:
    account = await deployment.account(verified=False)
    tokens = OneTimeTokens(deployment.runtime, deployment.runtime.unit())
    address = account.email_normal_form
    issued = await tokens.issue(
        purpose, account.id, ttl=timedelta(minutes=5), address=address, with_code=True
    )
    return account, issued


async def _reset(deployment: Deployment) -> Ask:
    _, issued = await _issued(deployment, TokenPurpose.RESET_PASSWORD)
    body = {"token": issued.secret, "new_password": NEW_PASSWORD}
    return lambda node, _: node.post(f"{API}/auth/password/reset", json=body)


async def _verify(deployment: Deployment) -> Ask:
    _, issued = await _issued(deployment, TokenPurpose.VERIFY_EMAIL)
    return lambda node, _: node.post(f"{API}/auth/email/verify", json={"token": issued.secret})


async def _code(deployment: Deployment) -> Ask:
    account, issued = await _issued(deployment, TokenPurpose.VERIFY_EMAIL)
    body = {"email": account.email, "code": issued.code}
    return lambda node, _: node.post(f"{API}/auth/email/verify", json=body)


async def _invitation(deployment: Deployment) -> Ask:
    issued = await RegistrationTokens(deployment.runtime, deployment.runtime.unit()).create_token(max_uses=1)
    mark = uuid4().hex[:8]

    def ask(node: httpx2.AsyncClient, number: int) -> Awaitable[httpx2.Response]:
        wish = {
            "email": f"{mark}.{number}@example.org",
            "password": NEW_PASSWORD,
            "invitation": issued.secret,
        }
        return node.post(f"{API}/auth/register", json=wish)

    return ask


ONCE: dict[str, Callable[[Deployment], Awaitable[Ask]]] = {
    "reset": _reset, "verify": _verify, "code": _code, "invitation": _invitation,
}  # fmt: skip
