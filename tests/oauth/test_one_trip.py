"""The short way of plain code and refresh requests: taken where it may be, and never a way around a check."""

from collections import Counter

import pytest

from portico.core import failpoints
from tests.oauth.kit import House

MCP, NOTES = "https://api.example.com/mcp", "https://notes.example.com/"
TRIP = "db.trip.before_commit"


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
