"""The short way of plain code and refresh requests: taken where it may be, and never a way around a check."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from portico.core import failpoints
from portico.oauth.models import OAuthGrant
from portico.oauth.services.grants import Grants
from portico.oauth.types import GrantEnd
from portico.tokens.models import TokenFamily
from portico.tokens.types import FamilyEnd
from tests.oauth.kit import House, claims_of

pytestmark = pytest.mark.anyio

MCP, NOTES = "https://api.example.com/mcp", "https://notes.example.com/"
TRIP = "db.trip.before_commit"
PAST = timedelta(seconds=-1)

type Change = tuple[type[Any], dict[str, Any], str]

BAD_REFRESHES: dict[str, Change] = {
    "the family was rotated before": (TokenFamily, {"counter": 5}, "invalid_grant"),
    "the family has ended": (
        TokenFamily,
        {"ended_at": PAST, "ended_reason": FamilyEnd.REVOKED},
        "invalid_grant",
    ),
    "the family rested too long": (TokenFamily, {"idle_expires_at": PAST}, "invalid_grant"),
    "the family is too old": (TokenFamily, {"absolute_expires_at": PAST}, "invalid_grant"),
    "the family is no grant's": (TokenFamily, {"grant_id": None}, "invalid_grant"),
    "the grant has ended": (OAuthGrant, {"ended_at": PAST}, "invalid_grant"),
    "its resource is gone": (OAuthGrant, {"resources": ["https://gone.example/"]}, "invalid_target"),
    "it is for several resources": (OAuthGrant, {"resources": [MCP, NOTES]}, "invalid_target"),
    "a public client's is bound to a key": (OAuthGrant, {"jkt": "k" * 43}, "invalid_grant"),
}
BAD_CODES: dict[str, Change] = {
    "the code was spent": (OAuthGrant, {"code_spent_at": PAST}, "invalid_grant"),
    "the code is too old": (OAuthGrant, {"code_expires_at": PAST}, "invalid_grant"),
    "the grant has ended": (OAuthGrant, {"ended_at": PAST}, "invalid_grant"),
    "another challenge": (OAuthGrant, {"challenge": "c" * 43}, "invalid_grant"),
    "no challenge": (OAuthGrant, {"challenge": None}, "invalid_grant"),
    "another redirect": (OAuthGrant, {"redirect_uri": "https://app.example/other"}, "invalid_grant"),
    "bound to a key": (OAuthGrant, {"jkt": "k" * 43}, "invalid_grant"),
    "its resource is gone": (OAuthGrant, {"resources": ["https://gone.example/"]}, "invalid_target"),
}


async def _nothing(_: str) -> None:
    return


@pytest.fixture(params=["one trip", "a unit"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Send requests either way: a failpoint of the unit's way, armed with nothing, asks for it."""
    if request.param == "a unit":
        failpoints.armed["tokens.rotate.before_write"] = _nothing
    yield request.param
    failpoints.armed.clear()


async def _change(house: House, change: Change) -> None:
    model, values, _ = change
    now = house.runtime.clock.now()
    written = {name: now + value if isinstance(value, timedelta) else value for name, value in values.items()}
    async with house.runtime.unit() as unit:
        await unit.session.execute(update(model).values(**written))


async def _spent(house: House) -> list[Any]:
    """Return what says that codes and refresh tokens were used."""
    async with house.runtime.reads() as session:
        codes = (await session.execute(select(OAuthGrant.id, OAuthGrant.code_spent_at))).all()
        families = (await session.execute(select(TokenFamily.id, TokenFamily.counter))).all()
    return [sorted(codes), sorted(families)]


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the trips to the database."""
    counted: Counter[str] = Counter()

    async def count(name: str) -> None:
        counted[name] += 1

    monkeypatch.setitem(failpoints.armed, TRIP, count)
    return counted


async def test_plain_requests_take_one_trip_each(house: House, trips: Counter[str]) -> None:
    client = await house.client()
    back = await house.authorize(client, scope="openid offline_access")
    trips.clear()

    tokens = await house.exchange(client, back)
    refreshed = await house.refreshed(client, tokens["refresh_token"])

    assert trips[TRIP] == 2
    assert refreshed.json()["refresh_token"] != tokens["refresh_token"]
    assert refreshed.json()["scope"] == "openid offline_access"


async def test_grant_for_one_known_resource_is_a_plain_one(house: House, trips: Counter[str]) -> None:
    client = await house.client()
    back = await house.authorize(client, scope="tools:read offline_access", resource=MCP)
    trips.clear()

    tokens = await house.exchange(client, back)
    answer = await house.refreshed(client, tokens["refresh_token"])

    assert answer.status_code == 200
    assert trips[TRIP] == 2


async def test_code_stays_good_when_what_came_with_it_was_wrong(house: House) -> None:
    client, other = await house.client(), await house.client()
    back = await house.authorize(client)

    wrong = [
        await house.exchanged(client, back, code_verifier="w" * 43),
        await house.exchanged(client, back, code_verifier=None),
        await house.exchanged(client, back, redirect_uri="https://app.example/other"),
        await house.exchanged(other, back),
    ]

    assert {answer.json()["error"] for answer in wrong} == {"invalid_grant"}
    assert (await house.exchanged(client, back)).status_code == 200


async def test_refused_refresh_rotates_nothing(house: House) -> None:
    client, other = await house.client(), await house.client()
    back = await house.authorize(client, scope="tools:read notes:read offline_access", resource=[MCP, NOTES])
    tokens = await house.exchange(client, back, resource=MCP)

    of_both = await house.refreshed(client, tokens["refresh_token"])
    of_other = await house.refreshed(other, tokens["refresh_token"])
    of_one = await house.refreshed(client, tokens["refresh_token"], resource=NOTES)

    assert of_both.json()["error"] == "invalid_target"
    assert of_other.json()["error"] == "invalid_grant"
    assert of_one.status_code == 200


async def test_code_shown_twice_ends_what_came_of_it(house: House) -> None:
    client = await house.client()
    back = await house.authorize(client, scope="openid offline_access")
    tokens = await house.exchange(client, back)

    second = await house.exchanged(client, back)
    refreshed = await house.refreshed(client, tokens["refresh_token"])

    assert second.json()["error"] == "invalid_grant"
    assert refreshed.json()["error"] == "invalid_grant"


@pytest.mark.parametrize("fault", BAD_REFRESHES)
@pytest.mark.usefixtures("way")
async def test_both_ways_refuse_the_same_refreshes(house: House, fault: str) -> None:
    client = await house.public_client()
    tokens = await house.tokens(client, scope="tools:read offline_access", resource=MCP)
    await _change(house, BAD_REFRESHES[fault])
    before = await _spent(house)

    answer = await house.refreshed(client, tokens["refresh_token"])

    assert answer.json()["error"] == BAD_REFRESHES[fault][2]
    assert await _spent(house) == before


@pytest.mark.parametrize("fault", BAD_CODES)
@pytest.mark.usefixtures("way")
async def test_both_ways_refuse_the_same_codes(house: House, fault: str) -> None:
    client = await house.client()
    back = await house.authorize(client, scope="tools:read", resource=MCP)
    await _change(house, BAD_CODES[fault])
    before = await _spent(house)

    answer = await house.exchanged(client, back)

    assert answer.json()["error"] == BAD_CODES[fault][2]
    assert await _spent(house) == before


@pytest.mark.usefixtures("way")
async def test_both_ways_see_an_ending_that_is_under_way(house: House) -> None:
    client = await house.client()
    tokens = await house.tokens(client, scope="openid offline_access")
    grant_id = UUID(claims_of(tokens["access_token"])["grant_id"])

    async with house.runtime.unit() as unit:
        await Grants(house.runtime, unit).end([grant_id], GrantEnd.REVOKED_BY_PERSON)
        refreshing = asyncio.create_task(house.refreshed(client, tokens["refresh_token"]))
        await asyncio.sleep(0.1)

    assert (await refreshing).json()["error"] == "invalid_grant"
