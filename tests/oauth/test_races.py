"""P7 and P5 for what clients hold: every artefact that is good once, shown by fifty at once.

The codes and refresh tokens are raced twice: on their short way, in one trip to the database, and on the unit's, where
racers rest between reading and writing so that they meet.
"""

import asyncio
import html
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from portico.audit.models import AuditEntry
from portico.core import failpoints
from portico.oauth.models import OAuthClient, OAuthDevice, OAuthGrant
from portico.oauth.services.initial_tokens import InitialTokens
from portico.oauth.types import ClientSource, DeviceState, GrantEnd
from portico.tokens.models import TokenFamily
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
