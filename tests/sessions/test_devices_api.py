"""The list of devices, ending one, the others, all; and what a sign-out leaves in the browser."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx2
import pytest

from portico.audit.models import AuditEntry
from portico.core.ids import new_id
from portico.http.csrf import token_for
from portico.runtime import Runtime
from portico.sessions.jobs import sweep_outlived_sessions
from portico.sessions.models import Session
from portico.sessions.types import SessionEnd
from portico.testing.clock import FrozenClock
from portico.testing.jobs import do_job
from portico.users.types import Account
from tests.sessions.people import (
    API,
    PAGE_COOKIE,
    REFRESH_COOKIE,
    SignedInPerson,
    add_person,
    by_cookie,
    log_in,
    refresh,
    rows_of,
    sign_in,
    sign_in_by_page,
)

pytestmark = pytest.mark.anyio

type SignIn = Callable[[], Awaitable[SignedInPerson]]


@pytest.mark.bar("ASVS-7.5.2")
async def test_a_person_sees_his_devices_and_which_one_asks(
    runtime: Runtime, client: httpx2.AsyncClient, clock: FrozenClock, signed_in: SignIn
) -> None:
    client.headers["user-agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    first = await signed_in()
    clock.advance(timedelta(minutes=5))
    client.headers["user-agent"] = "acme-sync/2.0"
    await signed_in()
    await sign_in_by_page(runtime)

    listed = (await first.request("GET", "/auth/sessions")).json()["data"]

    assert [(each["device_name"], each["is_current"], each["is_browser"]) for each in listed] == [
        ("acme-sync", False, True),
        ("acme-sync", False, False),
        ("Firefox on Linux", True, False),
    ]
    assert {"id", "device_name", "place", "client_address", "amr", "created_at", "last_seen_at"} <= set(
        listed[0]
    )
    assert not any("token" in name or "hash" in name for each in listed for name in each)


@pytest.mark.bar("ASVS-7.5.2", "ASVS-7.4.1")
async def test_one_device_is_ended_by_another(
    runtime: Runtime, client: httpx2.AsyncClient, signed_in: SignIn
) -> None:
    one, other = await signed_in(), await signed_in()
    assert (await other.who_am_i()).status_code == 200
    listed = (await one.request("GET", "/auth/sessions")).json()["data"]
    [target] = [each["id"] for each in listed if not each["is_current"]]

    first = await one.request("DELETE", f"/auth/sessions/{target}")
    again = await one.request("DELETE", f"/auth/sessions/{target}")

    assert (first.status_code, again.status_code) == (204, 404)
    assert (await other.who_am_i()).status_code == 401
    assert (await other.refresh()).status_code == 401
    assert (await one.who_am_i()).status_code == 200


@pytest.mark.bar("ASVS-8.2.2", "CVE-2023-0264", "T10", "ASVS-8.2.1")
async def test_another_persons_session_is_as_good_as_none(
    runtime: Runtime, client: httpx2.AsyncClient, signed_in: SignIn
) -> None:
    ada = await signed_in()
    [target] = [row.id for row in await rows_of(runtime, Session)]
    await add_person(runtime, "eve@example.org")
    eve = await sign_in(client, "eve@example.org")

    foreign = await eve.request("DELETE", f"/auth/sessions/{target}")
    unknown = await eve.request("DELETE", f"/auth/sessions/{new_id()}")
    garbage = await eve.request("DELETE", "/auth/sessions/not-an-id")

    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["code"] == unknown.json()["code"] == "session_not_found"
    assert garbage.status_code in {404, 422}
    assert (await ada.who_am_i()).status_code == 200


async def test_all_other_devices_are_ended(
    runtime: Runtime, client: httpx2.AsyncClient, signed_in: SignIn
) -> None:
    one, *others = [await signed_in() for _ in range(4)]
    cookie = await sign_in_by_page(runtime)

    answer = await one.request("DELETE", "/auth/sessions")

    assert answer.json() == {"ended": 4}
    assert (await one.who_am_i()).status_code == 200
    assert [(await each.who_am_i()).status_code for each in others] == [401] * 3
    assert (await by_cookie(client, cookie)).status_code == 401


@pytest.mark.bar("ASVS-14.3.1", "ASVS-7.4.1", "R8")
async def test_logout_ends_the_session_and_clears_the_browser(
    runtime: Runtime, client: httpx2.AsyncClient, signed_in: SignIn
) -> None:
    person = await signed_in()

    answer = await person.request("POST", "/auth/logout")

    assert answer.status_code == 204
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    cleared = [each for each in answer.headers.get_list("set-cookie") if "Max-Age=0" in each]
    assert {each.partition("=")[0] for each in cleared} == {PAGE_COOKIE, REFRESH_COOKIE}
    assert (await person.who_am_i()).status_code == 401
    assert (await person.refresh()).status_code == 401
    [row] = await rows_of(runtime, Session)
    assert row.ended_reason is SessionEnd.LOGGED_OUT
    [entry] = await rows_of(runtime, AuditEntry, AuditEntry.action == "session.revoked")
    assert (entry.actor_id, entry.session_id, entry.reason) == (row.user_id, row.id, "logged_out")


async def test_logout_by_refresh_token_where_the_access_token_is_gone(
    client: httpx2.AsyncClient, signed_in: SignIn, clock: FrozenClock
) -> None:
    person = await signed_in()
    clock.advance(timedelta(minutes=16))

    answer = await client.post(f"{API}/auth/logout", json={"refresh_token": person.refresh_token})

    assert answer.status_code == 204
    assert (await person.refresh()).status_code == 401


@pytest.mark.parametrize("body", [{}, {"refresh_token": None}])
async def test_logout_with_an_empty_body_ends_the_session_of_the_access_token(
    signed_in: SignIn, body: dict[str, None]
) -> None:
    person = await signed_in()

    answer = await person.request("POST", "/auth/logout", json=body)

    assert answer.status_code == 204
    assert (await person.who_am_i()).status_code == 401


async def test_logout_by_refresh_cookie(client: httpx2.AsyncClient, ada: Account) -> None:
    token = (await log_in(client, transport="cookie")).cookies[REFRESH_COOKIE]
    client.cookies.clear()

    answer = await client.post(f"{API}/auth/logout", headers={"Cookie": f"{REFRESH_COOKIE}={token}"})

    assert answer.status_code == 204
    assert (await refresh(client, token)).status_code == 401


@pytest.mark.bar("ASVS-14.3.1")
async def test_logout_in_the_browser_ends_both_of_its_sessions(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    page = await sign_in_by_page(runtime)
    token = (await log_in(client, transport="cookie")).cookies[REFRESH_COOKIE]
    client.cookies.clear()
    headers = {
        "Cookie": f"{PAGE_COOKIE}={page}; {REFRESH_COOKIE}={token}",
        "X-CSRF-Token": token_for(runtime.secret, page),
    }

    answer = await client.post(f"{API}/auth/logout", headers=headers)

    assert answer.status_code == 204
    assert (await by_cookie(client, page)).status_code == 401
    assert (await refresh(client, token)).status_code == 401


async def test_logout_of_nobody(client: httpx2.AsyncClient, ada: Account) -> None:
    nothing = await client.post(f"{API}/auth/logout")
    garbage = await client.post(f"{API}/auth/logout", json={"refresh_token": "prt_garbage"})

    assert (nothing.status_code, garbage.status_code) == (401, 401)


@pytest.mark.bar("ASVS-7.4.1", "CHECK-21")
async def test_logout_everywhere(runtime: Runtime, client: httpx2.AsyncClient, signed_in: SignIn) -> None:
    people = [await signed_in() for _ in range(3)]
    cookie = await sign_in_by_page(runtime)
    for person in people:
        assert (await person.who_am_i()).status_code == 200

    answer = await people[1].request("POST", "/auth/logout-all")

    assert answer.status_code == 204
    assert "clear-site-data" in answer.headers
    assert [(await each.who_am_i()).status_code for each in people] == [401] * 3
    assert [(await each.refresh()).status_code for each in people] == [401] * 3
    assert (await by_cookie(client, cookie)).status_code == 401


@pytest.mark.bar("ASVS-14.2.7")
async def test_rows_of_sessions_that_are_over_for_long_are_swept(
    runtime: Runtime, signed_in: SignIn, clock: FrozenClock
) -> None:
    ended, resting = await signed_in(), await signed_in()
    await ended.request("POST", "/auth/logout")
    clock.advance(timedelta(days=29))
    await do_job(runtime, sweep_outlived_sessions)
    assert len(await rows_of(runtime, Session)) == 2

    clock.advance(timedelta(days=2))
    await do_job(runtime, sweep_outlived_sessions)
    assert len(await rows_of(runtime, Session)) == 1

    clock.advance(timedelta(days=30))
    await do_job(runtime, sweep_outlived_sessions)
    assert await rows_of(runtime, Session) == []
    assert (await resting.refresh()).status_code == 401
