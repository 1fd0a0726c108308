"""Browser sessions: the cookie, its limits, and a new one at each change of privilege."""

from datetime import timedelta

import httpx2
import pytest
from starlette.responses import Response

from portico.core.settings import Settings
from portico.runtime import Runtime
from portico.sessions.cookies import DEVICE, PAGE, REFRESH
from portico.sessions.errors import SessionEnded
from portico.sessions.jobs import note_use_of_sessions
from portico.sessions.models import Session
from portico.sessions.services import PageSessions, SignIn
from portico.sessions.types import AuthMethod, SessionEnd, Transport
from portico.testing.clock import FrozenClock
from portico.users.types import Account
from tests.sessions.people import ADDRESS, API, PAGE_COOKIE, PASSWORD, by_cookie, rows_of, sign_in_by_page

pytestmark = pytest.mark.anyio

ONE_DATABASE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
"""For what has nothing to do with the database."""


@pytest.mark.bar("CHECK-21", "ASVS-3.3.1", "ASVS-3.3.2", "ASVS-3.3.3", "ASVS-3.3.4", "CVE-2024-28197")
def test_cookies_are_bound_to_the_host_where_people_come_by_tls() -> None:
    response, settings = Response(), Settings(public_url="https://id.example.org", secret_key="s" * 40)
    for kind in (PAGE, REFRESH, DEVICE):
        kind.set(response, settings, "value", max_age=timedelta(days=1))

    page, refresh, device = response.headers.getlist("set-cookie")
    for cookie, flags in (
        (page, ["__Host-portico_session=", "Path=/;", "SameSite=lax"]),
        (refresh, ["__Secure-portico_refresh=", "Path=/api/v1/auth;", "SameSite=strict"]),
        (device, ["__Host-portico_device=", "Path=/;", "SameSite=lax"]),
    ):
        assert all(flag in cookie for flag in [*flags, "Secure", "HttpOnly"])
        assert "Domain" not in cookie


async def test_the_cookie_signs_in(runtime: Runtime, client: httpx2.AsyncClient, ada: Account) -> None:
    cookie = await sign_in_by_page(runtime)

    assert (await by_cookie(client, cookie)).json()["id"] == str(ada.id)
    assert (await by_cookie(client, cookie[:-1])).status_code == 401
    assert (await by_cookie(client, "A" * 43)).status_code == 401


@pytest.mark.bar("CVE-2024-28197")
@ONE_DATABASE
async def test_two_cookies_of_the_name_are_none(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    """On plain http a sibling could plant one; which of two comes first is the attacker's choice."""
    cookie = await sign_in_by_page(runtime)
    client.cookies.clear()

    for header in (
        f"{PAGE_COOKIE}={cookie}; {PAGE_COOKIE}={'B' * 43}",
        f"{PAGE_COOKIE}={'B' * 43}; {PAGE_COOKIE}={cookie}",
    ):
        answer = await client.get(f"{API}/users/me", headers={"Cookie": header})
        assert answer.status_code == 401


@pytest.mark.bar("ASVS-7.3.1", "N10")
@ONE_DATABASE
async def test_a_browser_session_ends_when_it_rests_too_long(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account, clock: FrozenClock
) -> None:
    cookie = await sign_in_by_page(runtime)
    for _ in range(3):
        clock.advance(timedelta(hours=23))
        assert (await by_cookie(client, cookie)).status_code == 200
        await note_use_of_sessions(runtime)

    clock.advance(timedelta(hours=24, seconds=1))

    assert (await by_cookie(client, cookie)).status_code == 401


@pytest.mark.bar("ASVS-7.3.2", "N10")
@pytest.mark.parametrize("step_hours", [5, 22])
@ONE_DATABASE
async def test_use_does_not_extend_the_absolute_limit(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account, clock: FrozenClock, step_hours: int
) -> None:
    """Of 14 days, whether the cookie is believed from memory all the time (5) or read anew each time (22)."""
    cookie = await sign_in_by_page(runtime)
    good_steps = 14 * 24 // step_hours
    statuses = []
    for _ in range(good_steps + 1):
        clock.advance(timedelta(hours=step_hours))
        statuses.append((await by_cookie(client, cookie)).status_code)
        await note_use_of_sessions(runtime)

    assert statuses == [200] * good_steps + [401]


@pytest.mark.bar("CHECK-21", "ASVS-7.2.4", "CVE-2024-28197", "CVE-2024-7341")
async def test_a_change_of_privilege_gives_a_new_cookie_and_the_old_one_dies(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    old = await sign_in_by_page(runtime)
    assert (await by_cookie(client, old)).status_code == 200
    [session] = await rows_of(runtime, Session)

    new = await PageSessions(runtime, runtime.unit()).renew(session.id)

    assert (await by_cookie(client, old)).status_code == 401
    assert (await by_cookie(client, new)).status_code == 200


@pytest.mark.bar("CHECK-21", "ASVS-7.2.4")
async def test_signing_in_again_in_the_same_browser_ends_what_was_there(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    old = await sign_in_by_page(runtime)
    [before] = await rows_of(runtime, Session)

    again = await SignIn(runtime, runtime.unit()).sign_in(
        ADDRESS, PASSWORD, Transport.PAGE, replaces=before.id
    )

    assert (await by_cookie(client, old)).status_code == 401
    assert (await by_cookie(client, again.cookie or "")).status_code == 200
    [ended] = await rows_of(runtime, Session, Session.ended_at.is_not(None))
    assert (ended.id, ended.ended_reason) == (before.id, SessionEnd.REPLACED)


async def test_other_ways_in_start_and_end_sessions_too(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    opened = await PageSessions(runtime, runtime.unit()).start(ada.id, amr=(AuthMethod.EMAIL_LINK,))
    cookie = opened.cookie or ""
    assert (await by_cookie(client, cookie)).status_code == 200

    [session] = await rows_of(runtime, Session)
    await PageSessions(runtime, runtime.unit()).end(session.id, user_id=ada.id)

    assert session.amr == ["email"]
    assert (await by_cookie(client, cookie)).status_code == 401
    with pytest.raises(SessionEnded):
        await PageSessions(runtime, runtime.unit()).renew(session.id)


@pytest.mark.bar("CHECK-18", "ASVS-3.5.1")
async def test_the_cookie_alone_changes_nothing(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    """Every change by cookie needs the token that a foreign page cannot read."""
    cookie = await sign_in_by_page(runtime)
    [session] = await rows_of(runtime, Session)
    headers = {"Cookie": f"{PAGE_COOKIE}={cookie}"}

    for method, path in (
        ("POST", "/auth/logout"),
        ("POST", "/auth/logout-all"),
        ("DELETE", "/auth/sessions"),
        ("DELETE", f"/auth/sessions/{session.id}"),
    ):
        client.cookies.clear()
        answer = await client.request(method, API + path, headers=headers)
        assert answer.status_code == 403, path

    assert (await by_cookie(client, cookie)).status_code == 200
