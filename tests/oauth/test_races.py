"""P7 and P5 for what clients hold: every artefact that is good once, shown by fifty at once.

The codes and refresh tokens are raced twice: on their short way, in one trip to the database, and on the unit's, where
racers rest between reading and writing so that they meet.
"""

import asyncio
import html
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from portico.audit.models import AuditEntry
from portico.core import failpoints
from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from portico.oauth.models import OAuthClient, OAuthDevice, OAuthGrant
from portico.oauth.repositories import GrantRepository
from portico.oauth.services.connections import Connections
from portico.oauth.services.initial_tokens import InitialTokens
from portico.oauth.types import ClientSource, DeviceState, GrantEnd
from portico.sessions.services import Sessions
from portico.sessions.types import SessionEnd
from portico.tokens.models import TokenFamily
from portico.users.services import Users
from tests.oauth.keyed import Keyed
from tests.oauth.kit import House, TestClient, returned
from tests.oauth.presenting import DpopKey, told
from tests.oauth.test_device import answer as answer_device, begin, poll, television

pytestmark = [pytest.mark.anyio, pytest.mark.bar("P7", "CHECK-12"), pytest.mark.timeout(120)]

LASTING_OAUTH = {"dynamic_registration": "open"}
RACERS = 50
STOPS = ("oauth.code.before_write", "tokens.rotate.before_write", "tokens.rotate.after_write")
A_LITTLE = failpoints.delaying(0.003)
CREDENTIALS: dict[str, Any] = {"grant_type": "client_credentials", "scope": "tools:read"}
MCP = "https://api.example.com/mcp"


@pytest.fixture
def house(lasting_house: House) -> House:
    lasting_house.clock.advance(timedelta(minutes=11))  # nobody's tries count any more
    return lasting_house


@pytest.fixture(params=["in one trip", "step by step"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Say which way tokens are given out, and see to it that it is taken."""
    if request.param == "step by step":
        for stop in STOPS:
            monkeypatch.setitem(failpoints.armed, stop, A_LITTLE)
    return str(request.param)


async def raced(ask: Callable[[], Awaitable[httpx2.Response]], racers: int = RACERS) -> list[httpx2.Response]:
    return list(await asyncio.gather(*(ask() for _ in range(racers))))


def outcomes(answers: Sequence[httpx2.Response]) -> Counter[str]:
    """Count the answers of a protocol endpoint: `ok`, or the error's code."""
    return Counter("ok" if answer.is_success else answer.json()["error"] for answer in answers)


def one_won(error: str) -> Counter[str]:
    return Counter({"ok": 1, error: RACERS - 1})


async def grants_of(house: House, client: TestClient) -> Sequence[OAuthGrant]:
    async with house.runtime.reads() as session:
        rows = await session.scalars(select(OAuthGrant).where(OAuthGrant.client_key == client.key))
        return rows.all()


async def lines_of(house: House, grant: OAuthGrant) -> Sequence[TokenFamily]:
    async with house.runtime.reads() as session:
        rows = await session.scalars(select(TokenFamily).where(TokenFamily.grant_id == grant.id))
        return rows.all()


async def told_of_end(house: House, grant: OAuthGrant) -> int:
    """Return how often the trail says that a grant ended."""
    count = select(func.count()).where(
        AuditEntry.action == "oauth.grant.ended", AuditEntry.subject_id == grant.id
    )
    async with house.runtime.reads() as session:
        return int((await session.execute(count)).scalar_one())


@pytest.mark.bar("A1-1.10")
@pytest.mark.parametrize("kind", ["client", "public_client"])
async def test_one_of_fifty_gets_tokens_for_a_code_and_the_others_end_them(
    house: House, way: str, kind: str
) -> None:
    client: TestClient = await getattr(house, kind)()
    back = await house.authorize(client, scope="openid offline_access", prompt="consent")

    answers = await raced(lambda: house.exchanged(client, back))

    assert outcomes(answers) == one_won("invalid_grant")
    [won] = [answer.json() for answer in answers if answer.is_success]
    [grant] = await grants_of(house, client)
    [line] = await lines_of(house, grant)
    assert grant.ended_reason is GrantEnd.CODE_REPLAYED
    assert line.ended_at is not None
    assert await told_of_end(house, grant) == 1
    assert (await told(house, won["access_token"])).status_code == 401
    assert outcomes([await house.refreshed(client, won["refresh_token"])]) == {"invalid_grant": 1}


@pytest.mark.bar("P5", "A1-1.17")
async def test_fifty_who_refresh_at_once_get_one_child(house: House, way: str) -> None:
    client = await house.public_client()
    parent = (await house.tokens(client, scope="openid"))["refresh_token"]

    answers = await raced(lambda: house.refreshed(client, parent))

    assert outcomes(answers) == {"ok": RACERS}
    [child] = {answer.json()["refresh_token"] for answer in answers}
    [grant] = await grants_of(house, client)
    [line] = await lines_of(house, grant)
    assert (line.counter, line.ended_at, grant.ended_at) == (1, None, None)
    seen = [(await told(house, each.json()["access_token"])).status_code for each in answers[:5]]
    assert seen == [200] * 5
    assert (await house.refreshed(client, child)).status_code == 200


@pytest.mark.bar("P6", "A1-1.17")
async def test_fifty_who_replay_a_refresh_token_end_its_grant_once(house: House, way: str) -> None:
    client = await house.public_client()
    parent = (await house.tokens(client, scope="openid"))["refresh_token"]
    fresh = (await house.refreshed(client, parent)).json()
    house.clock.advance(timedelta(seconds=11))

    answers = await raced(lambda: house.refreshed(client, parent))

    [grant] = await grants_of(house, client)
    assert outcomes(answers) == {"invalid_grant": RACERS}
    assert grant.ended_reason is GrantEnd.TOKEN_REPLAYED
    assert await told_of_end(house, grant) == 1
    assert (await told(house, fresh["access_token"])).status_code == 401
    assert outcomes([await house.refreshed(client, fresh["refresh_token"])]) == {"invalid_grant": 1}


@pytest.mark.bar("P7", "A13-13.1")
async def test_one_of_fifty_browsers_is_answered_for_a_pushed_request(house: House) -> None:
    keyed = await Keyed.register(house)
    await keyed.tokens(scope="openid")  # from now on Ada is asked no more
    pushed = await keyed.push(scope="openid")

    answers = await raced(lambda: keyed.ask_with(pushed))

    codes = {returned(each)["code"] for each in answers if "code=" in each.headers.get("location", "")}
    assert len(codes) == 1
    assert all(each.status_code in {303, 400} for each in answers)
    assert len(await grants_of(house, keyed.client)) == 2


_HIDDEN = re.compile(r'name="(ticket|csrf_token)" value="([^"]+)"')


@pytest.mark.parametrize("actions", [("approve",), ("approve", "deny")], ids="-and-".join)
async def test_one_of_fifty_clicks_counts(house: House, actions: Sequence[str]) -> None:
    client = await house.client()
    page = await house.get((await house.ask(client)).headers["location"])
    fields = {name: html.unescape(value) for name, value in _HIDDEN.findall(page.text)}

    async def click(action: str) -> httpx2.Response:
        return await house.http.post(
            "/oauth/consent",
            data={**fields, "action": action},
            headers=house.cookie("ada"),
            follow_redirects=False,
        )

    answers = await asyncio.gather(*(click(actions[number % len(actions)]) for number in range(RACERS)))

    back = [returned(each) for each in answers if each.headers.get("location", "").startswith("https://")]
    answered = [each for each in back if "code" in each or each["error"] == "access_denied"]
    assert len(answered) == 1, back
    grants = await grants_of(house, client)
    assert len(grants) == ("code" in answered[0])


@pytest.mark.bar("A16-16.1")
async def test_a_device_is_let_in_once_and_gets_tokens_once(house: House, way: str) -> None:
    client = await television(house)
    waiting = await begin(house, client)
    clicks = await asyncio.gather(*(answer_device(house, waiting) for _ in range(4)), return_exceptions=True)

    answers = await raced(lambda: poll(house, client, waiting))

    approved = [each for each in clicks if isinstance(each, httpx2.Response) and each.status_code == 303]
    assert len(approved) == 1
    assert outcomes(answers) == one_won("invalid_grant")
    [grant] = await grants_of(house, client)
    assert len(await lines_of(house, grant)) == 1
    async with house.runtime.reads() as session:
        states = await session.scalars(select(OAuthDevice.state).where(OAuthDevice.grant_id == grant.id))
        assert states.all() == [DeviceState.SPENT]


async def test_one_of_fifty_is_believed_for_an_assertion(house: House) -> None:
    keyed = await Keyed.register(house, redirect_uris=[], grant_types=["client_credentials"])
    assertion = keyed.assertion()

    answers = await raced(lambda: keyed.token(assertion=assertion, resource=MCP, **CREDENTIALS))

    assert outcomes(answers) == one_won("invalid_client")


@pytest.mark.bar("A15-15.1")
async def test_one_of_fifty_is_believed_for_a_proof(house: House) -> None:
    client = await house.client(redirect_uris=[], grant_types=["client_credentials"])
    proof = DpopKey(house).proof("POST", "/oauth/token")

    answers = await raced(lambda: house.token(client, headers=proof, resource=MCP, **CREDENTIALS))

    assert outcomes(answers) == one_won("invalid_dpop_proof")
    [won] = [answer.json() for answer in answers if answer.is_success]
    assert won["token_type"] == "DPoP"


async def count_of_clients(house: House) -> int:
    count = select(func.count()).where(OAuthClient.source == ClientSource.DYNAMIC)
    async with house.runtime.reads() as session:
        return int((await session.execute(count)).scalar_one())


async def register(house: House, token: str | None = None) -> httpx2.Response:
    house.http.cookies.clear()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    wish: dict[str, Any] = {"redirect_uris": ["https://app.example/cb"]}
    return await house.http.post("/oauth/register", json=wish, headers=headers)


@pytest.mark.bar("A7-7.5")
async def test_an_initial_token_is_used_as_often_as_it_says(house: House) -> None:
    tokens = InitialTokens(house.runtime, house.runtime.unit())
    text = (await tokens.make_token("of a race", uses=7, actor=None)).text
    before = await count_of_clients(house)

    answers = await raced(lambda: register(house, text))

    assert outcomes(answers) == {"ok": 7, "invalid_token": RACERS - 7}
    assert await count_of_clients(house) == before + 7


class TestStrict:
    """A deployment that grants nothing twice, and lets few strangers in."""

    @pytest.fixture
    def settings_overrides(self, settings_overrides: dict[str, Any]) -> dict[str, Any]:
        oauth = {
            **settings_overrides["oauth"],
            "refresh_grace": timedelta(0),
            "dynamic_registration": "open",
            "max_dynamic_clients": 5,
        }
        return {**settings_overrides, "oauth": oauth}

    @pytest.fixture
    def house(self, request: pytest.FixtureRequest) -> None:
        """Leave the lasting house alone."""

    @pytest.fixture
    async def strict(self, runtime: Any, client: Any, clock: Any) -> House:
        made = House(runtime, client, clock)
        await made.person("ada")
        return made

    @pytest.mark.bar("P5", "A1-1.17")
    async def test_without_a_grace_one_of_fifty_refreshes(self, strict: House, way: str) -> None:
        client = await strict.public_client()
        parent = (await strict.tokens(client, scope="openid"))["refresh_token"]

        answers = await raced(lambda: strict.refreshed(client, parent))

        assert outcomes(answers) == one_won("invalid_grant")
        [won] = [answer.json() for answer in answers if answer.is_success]
        [grant] = await grants_of(strict, client)
        assert grant.ended_reason is GrantEnd.TOKEN_REPLAYED
        assert (await told(strict, won["access_token"])).status_code == 401

    @pytest.mark.bar("A7-7.5")
    async def test_no_more_strangers_register_than_fit(self, strict: House) -> None:
        answers = await raced(lambda: register(strict))

        assert outcomes(answers) == {"ok": 5, "temporarily_unavailable": RACERS - 5}
        assert await count_of_clients(strict) == 5


type Ending = Callable[[House, TestClient, str], Awaitable[object]]


async def disconnected(house: House, client: TestClient, name: str) -> None:
    """The person ends it with one click."""
    bearer = house.people[name].bearer
    answer = await house.http.delete(f"/api/v1/oauth/connections/{client.key}", headers=bearer)
    assert answer.status_code == 204, answer.text


async def switched_off(house: House, client: TestClient, name: str) -> None:
    """An administrator ends the person."""
    users = Users(house.runtime, house.runtime.unit())
    await users.deactivate_user(house.people[name].id)


async def signed_out_everywhere(house: House, client: TestClient, name: str) -> None:
    """The person signs out; what has `offline_access` lives on, a device's grant among it."""
    sessions = Sessions(house.runtime, house.runtime.unit())
    await sessions.end_sessions_of(house.people[name].id, SessionEnd.REVOKED)


@dataclass
class Meanwhile:
    """An ending that begins when a failpoint is reached, and may be answered before that goes on."""

    ending: Callable[[], Awaitable[object]]
    task: asyncio.Task[object] | None = None
    was_first: bool = False
    """It was answered while the other had not written yet."""

    async def __call__(self, _: str) -> None:
        if self.task is not None:
            return

        async def end() -> object:
            return await self.ending()

        self.task = asyncio.create_task(end())
        done, _waiting = await asyncio.wait({self.task}, timeout=0.3)
        self.was_first = bool(done)


@pytest.mark.bar("P6", "CHECK-3", "A16-16.1")
@pytest.mark.parametrize("ending", [disconnected, switched_off])
async def test_no_device_gets_tokens_after_the_end_was_answered(
    house: House, ending: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end comes when the device's grant has been read: it waits, and then ends what the device has got."""
    name = f"someone-{ending.__name__.replace('_', '-')}"
    await house.person(name)
    client = await television(house)
    waiting = await begin(house, client)
    await answer_device(house, waiting, person=name)
    meanwhile = Meanwhile(lambda: ending(house, client, name))
    monkeypatch.setitem(failpoints.armed, "oauth.device.after_hold", meanwhile)

    got = await poll(house, client, waiting)
    assert meanwhile.task is not None
    await meanwhile.task

    assert got.status_code == 200, got.text
    assert not meanwhile.was_first
    tokens = got.json()
    assert (await told(house, tokens["access_token"])).status_code == 401
    assert outcomes([await house.refreshed(client, tokens["refresh_token"])]) == {"invalid_grant": 1}
    [grant] = await grants_of(house, client)
    assert all(line.ended_at is not None for line in await lines_of(house, grant))


@pytest.mark.bar("P6", "CHECK-3", "A16-16.1")
@pytest.mark.parametrize("ending", [disconnected, switched_off])
async def test_fifty_polls_and_an_end_at_once(house: House, ending: Ending) -> None:
    """At most one poll gets tokens, and they are good for nothing once the end is answered."""
    name = f"sometwo-{ending.__name__.replace('_', '-')}"
    await house.person(name)
    client = await television(house)
    waiting = await begin(house, client)
    await answer_device(house, waiting, person=name)

    ended = asyncio.create_task(asyncio.wait_for(ending(house, client, name), 60))
    answers = await raced(lambda: poll(house, client, waiting))
    await ended

    assert outcomes(answers)["ok"] <= 1
    for tokens in [each.json() for each in answers if each.is_success]:
        assert (await told(house, tokens["access_token"])).status_code == 401
        assert outcomes([await house.refreshed(client, tokens["refresh_token"])]) == {"invalid_grant": 1}
    assert outcomes([await poll(house, client, waiting)]) == {"invalid_grant": 1}


@pytest.mark.bar("P6", "CHECK-3")
@pytest.mark.parametrize("ending", [disconnected, switched_off])
async def test_nothing_is_granted_in_the_name_of_somebody_who_was_ended(
    house: House, ending: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end comes while the person lets a device in: it finds the grant, or the grant is not given."""
    name = f"somethree-{ending.__name__.replace('_', '-')}"
    await house.person(name)
    client = await television(house)
    await answer_device(house, await begin(house, client), person=name)  # so that there is something to end
    waiting = await begin(house, client)
    meanwhile = Meanwhile(lambda: ending(house, client, name))
    monkeypatch.setitem(failpoints.armed, "oauth.device.before_decide", meanwhile)

    await answer_device(house, waiting, person=name)
    assert meanwhile.task is not None
    await meanwhile.task

    assert not meanwhile.was_first
    assert [grant.id for grant in await grants_of(house, client) if grant.ended_at is None] == []
    assert outcomes([await poll(house, client, waiting)]) == {"invalid_grant": 1}


@pytest.mark.bar("P6", "CHECK-3")
@pytest.mark.parametrize("ending", [switched_off, signed_out_everywhere])
async def test_no_code_outlives_whoever_it_was_given_to(
    house: House, ending: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end comes while the code is written: it finds the grant, and the code is good for nothing."""
    name = f"somefour-{ending.__name__.replace('_', '-')}"
    await house.person(name)
    client = await house.client()
    meanwhile = Meanwhile(lambda: ending(house, client, name))
    monkeypatch.setitem(failpoints.armed, "oauth.grant.before_write", meanwhile)

    back = await house.authorize(client, name)
    assert meanwhile.task is not None
    await meanwhile.task

    assert not meanwhile.was_first
    assert outcomes([await house.exchanged(client, back)]) == {"invalid_grant": 1}


@pytest.mark.bar("P6", "CHECK-3", "ASVS-10.7.3")
async def test_what_was_allowed_once_is_not_granted_beside_its_end(house: House) -> None:
    """A request that needs no question has seen the consent when the person takes it back."""
    name = "somefive"
    await house.person(name)
    client, runtime = await house.client(), house.runtime
    await house.tokens(client, name)

    async with (unit := runtime.unit()):
        await GrantRepository(unit.session).lock_person(house.people[name].id)
        asking = asyncio.create_task(house.ask(client, name))
        await asyncio.wait({asking}, timeout=0.3)
        await Connections(runtime, unit).disconnect(
            house.people[name].id, client.key, actor=actor(house, name)
        )

    assert returned(await asking)["error"] == "consent_required"
    assert [grant.id for grant in await grants_of(house, client) if grant.ended_at is None] == []


def actor(house: House, name: str) -> Principal:
    """Return the person as one who asks by himself."""
    return Principal(id=house.people[name].id, kind=PrincipalKind.USER, credential=CredentialKind.COOKIE)
