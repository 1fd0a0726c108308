"""Refreshing over HTTP: rotation, grace, replay, and that everything about the session is asked again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from portico.audit.models import AuditEntry
from portico.audit.types import Outcome
from portico.core import failpoints
from portico.runtime import Runtime
from portico.sessions.models import Session
from portico.sessions.types import SessionEnd
from portico.testing.clock import FrozenClock
from portico.tokens.models import TokenFamily
from portico.users.models import User
from portico.users.types import Account, UserStatus
from tests.sessions.people import API, FAST_HASHES, REFRESH_COOKIE, SignedInPerson, log_in, refresh, rows_of

pytestmark = pytest.mark.anyio

ONE_DATABASE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
"""For what has nothing to do with the database."""

type SignIn = Callable[[], Awaitable[SignedInPerson]]


@pytest.fixture(autouse=True)
def _disarmed() -> Any:
    yield
    failpoints.armed.clear()


@pytest.mark.bar("ASVS-10.4.5", "R8")
async def test_a_refresh_token_gives_a_new_pair_and_its_child_goes_on(
    client: httpx2.AsyncClient, signed_in: SignIn
) -> None:
    person = await signed_in()

    first = await person.refresh()
    second = await refresh(client, first.json()["refresh_token"])

    assert first.status_code == second.status_code == 200
    assert first.json().keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    tokens = {person.refresh_token, first.json()["refresh_token"], second.json()["refresh_token"]}
    assert len(tokens) == 3
    fresh = SignedInPerson(client, second.json()["access_token"], "")
    assert (await fresh.who_am_i()).status_code == 200


@pytest.mark.bar("CHECK-8", "R9", "ASVS-10.4.5")
async def test_a_replayed_refresh_token_is_in_the_database_although_the_answer_is_401(
    runtime: Runtime, client: httpx2.AsyncClient, clock: FrozenClock, signed_in: SignIn
) -> None:
    person = await signed_in()
    child = (await person.refresh()).json()
    clock.advance(timedelta(seconds=11))

    replayed = await person.refresh()

    assert (replayed.status_code, replayed.json()["code"]) == (401, "refresh_token_reused")
    [session] = await rows_of(runtime, Session)
    [family] = await rows_of(runtime, TokenFamily)
    assert (session.ended_reason, family.ended_at is not None) == (SessionEnd.REPLAYED, True)
    trail = await rows_of(runtime, AuditEntry, AuditEntry.outcome == Outcome.REFUSED)
    assert "refresh_token.reused" in [entry.action for entry in trail]
    assert (await refresh(client, child["refresh_token"])).status_code == 401
    assert (await SignedInPerson(client, child["access_token"], "").who_am_i()).status_code == 401
    assert (await person.who_am_i()).status_code == 401


@pytest.mark.bar("P5")
async def test_the_loser_within_the_grace_gets_the_winners_child(
    client: httpx2.AsyncClient, clock: FrozenClock, signed_in: SignIn
) -> None:
    person = await signed_in()
    winner = (await person.refresh()).json()
    clock.advance(timedelta(seconds=9))

    loser = (await person.refresh()).json()

    assert loser["refresh_token"] == winner["refresh_token"]
    assert loser["access_token"] != winner["access_token"]
    assert (await SignedInPerson(client, loser["access_token"], "").who_am_i()).status_code == 200


@pytest.mark.bar("P5", "CHECK-8")
@pytest.mark.parametrize("delay", [0, 0.005])
async def test_racers_all_get_the_same_child(
    runtime: Runtime, client: httpx2.AsyncClient, signed_in: SignIn, delay: float
) -> None:
    person = await signed_in()
    failpoints.armed["tokens.rotate.before_write"] = failpoints.delaying(delay)

    answers = await asyncio.gather(*(person.refresh() for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    [family] = await rows_of(runtime, TokenFamily)
    assert (family.counter, family.ended_at) == (1, None)


class TestWithoutGrace:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"credentials": FAST_HASHES, "sessions": {"refresh_grace_seconds": 0}}

    @pytest.mark.bar("P5")
    async def test_exactly_one_racer_wins(self, signed_in: SignIn) -> None:
        person = await signed_in()

        answers = await asyncio.gather(*(person.refresh() for _ in range(6)))

        assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401, 401]


@pytest.mark.bar("CVE-2023-22492", "CVE-2026-43983", "CVE-2025-65430", "ASVS-7.2.1")
@pytest.mark.parametrize(
    "change",
    [{"status": UserStatus.DEACTIVATED}, {"deleted_at": "now"}],
    ids=["deactivated", "deleted"],
)
async def test_the_person_is_asked_about_again_even_if_no_event_told(
    runtime: Runtime, signed_in: SignIn, change: dict[str, Any]
) -> None:
    """The row alone decides: changed by hand, in a script, by a restored backup."""
    person = await signed_in()
    values = {key: runtime.clock.now() if value == "now" else value for key, value in change.items()}
    async with runtime.unit() as unit:
        await unit.session.execute(update(User).values(**values))

    answer = await person.refresh()

    assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")
    [family] = await rows_of(runtime, TokenFamily)
    assert family.counter == 0


@pytest.mark.bar("CVE-2025-29928")
async def test_the_session_row_is_asked_again_even_if_only_the_row_was_ended(
    runtime: Runtime, signed_in: SignIn
) -> None:
    person = await signed_in()
    async with runtime.unit() as unit:
        await unit.session.execute(update(Session).values(ended_at=runtime.clock.now()))

    assert (await person.refresh()).status_code == 401


@pytest.mark.bar("ASVS-7.3.1", "R8")
async def test_an_idle_session_cannot_be_refreshed(clock: FrozenClock, signed_in: SignIn) -> None:
    person = await signed_in()
    clock.advance(timedelta(days=7, seconds=1))

    assert (await person.refresh()).status_code == 401


@pytest.mark.bar("ASVS-7.3.2", "ASVS-10.4.8", "N10")
async def test_refreshing_does_not_extend_the_absolute_limit(
    client: httpx2.AsyncClient, clock: FrozenClock, signed_in: SignIn
) -> None:
    token = (await signed_in()).refresh_token
    statuses = []
    for _ in range(5):
        clock.advance(timedelta(days=6, hours=12))
        answer = await refresh(client, token)
        statuses.append(answer.status_code)
        token = answer.json().get("refresh_token", token)

    assert statuses == [200, 200, 200, 200, 401]


@ONE_DATABASE
async def test_an_access_token_never_outlives_its_session(
    client: httpx2.AsyncClient, clock: FrozenClock, signed_in: SignIn
) -> None:
    token = (await signed_in()).refresh_token
    for _ in range(4):
        clock.advance(timedelta(days=6))
        token = (await refresh(client, token)).json()["refresh_token"]
    clock.advance(timedelta(days=5, hours=23, minutes=55))

    answer = await refresh(client, token)

    assert answer.json()["expires_in"] == 300


async def test_refresh_by_cookie_sets_the_next_cookie_and_keeps_it_out_of_the_body(
    client: httpx2.AsyncClient, ada: Account
) -> None:
    cookie = (await log_in(client, transport="cookie")).cookies[REFRESH_COOKIE]
    client.cookies.clear()

    answer = await client.post(f"{API}/auth/refresh", headers={"Cookie": f"{REFRESH_COOKIE}={cookie}"})

    assert answer.status_code == 200
    assert "refresh_token" not in answer.json()
    assert answer.cookies[REFRESH_COOKIE] != cookie


@pytest.mark.bar("CHECK-18", "ASVS-3.5.1")
@ONE_DATABASE
async def test_refresh_by_cookie_from_another_site_is_refused(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    cookie = (await log_in(client, transport="cookie")).cookies[REFRESH_COOKIE]
    client.cookies.clear()

    for told in (("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")):
        headers = dict([told, ("Cookie", f"{REFRESH_COOKIE}={cookie}")])
        answer = await client.post(f"{API}/auth/refresh", headers=headers)

        assert answer.status_code == 403
    assert [family.counter for family in await rows_of(runtime, TokenFamily)] == [0]


@ONE_DATABASE
async def test_refresh_without_a_token(client: httpx2.AsyncClient, ada: Account) -> None:
    for body in (
        None,
        {},
        {"refresh_token": None},
        {"refresh_token": ""},
        {"refresh_token": 7},
        {"token": "x"},
    ):
        answer = await client.post(f"{API}/auth/refresh", json=body)

        says_nothing = not body or body == {"refresh_token": None}
        assert answer.status_code == (401 if says_nothing else 422)


@pytest.mark.bar("CVE-2026-27840")
async def test_cut_and_extended_tokens_are_refused_and_change_nothing(
    runtime: Runtime, client: httpx2.AsyncClient, signed_in: SignIn
) -> None:
    token = (await signed_in()).refresh_token

    for altered in (token[:-1], token[:40], token + "A", token[1:], token.swapcase(), "prt_" + "A" * 76):
        assert (await refresh(client, altered)).status_code == 401

    assert [family.counter for family in await rows_of(runtime, TokenFamily)] == [0]
    assert (await refresh(client, token)).status_code == 200


async def test_a_refusal_after_the_rotation_rotates_nothing(
    runtime: Runtime, client: httpx2.AsyncClient, signed_in: SignIn
) -> None:
    person = await signed_in()
    failpoints.armed["sessions.refresh.after_rotation"] = failpoints.raising()

    failed = await person.refresh()
    failpoints.armed.clear()

    assert failed.status_code == 500
    assert [family.counter for family in await rows_of(runtime, TokenFamily)] == [0]
    assert (await person.refresh()).status_code == 200


@pytest.mark.bar("P5", "ASVS-7.4.1")
async def test_logout_during_refreshes_leaves_nothing_that_can_be_refreshed(
    client: httpx2.AsyncClient, signed_in: SignIn
) -> None:
    """Whatever order they come in: once the logout is answered, no token of the session is any good."""
    person = await signed_in()
    failpoints.armed["sessions.refresh.after_rotation"] = failpoints.delaying(0.01)

    *answers, logout = await asyncio.gather(
        *(person.refresh() for _ in range(4)), person.request("POST", "/auth/logout")
    )

    assert logout.status_code == 204
    for answer in answers:
        if answer.status_code == 200:
            assert (await refresh(client, answer.json()["refresh_token"])).status_code == 401
            fresh = SignedInPerson(client, answer.json()["access_token"], "")
            assert (await fresh.who_am_i()).status_code == 401
