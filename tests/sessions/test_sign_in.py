"""Signing in over HTTP: what it gives, what it refuses, what it leaves behind."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from portico.audit.models import AuditEntry
from portico.core import failpoints
from portico.core.crypto import digest
from portico.credentials.models import GuessCounter, PasswordCredential
from portico.runtime import Runtime
from portico.sessions.models import Session
from portico.sessions.types import SessionEnd
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails
from portico.users.models import User
from portico.users.services import Users
from portico.users.types import Account, UserStatus
from tests.sessions.people import (
    ADDRESS,
    API,
    DEVICE_COOKIE,
    FAST_HASHES,
    PASSWORD,
    SignedInPerson,
    add_person,
    log_in,
    refresh,
    rows_of,
    sign_in,
)

pytestmark = pytest.mark.anyio

ONE_DATABASE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
"""For what has nothing to do with the database."""

WRONG = "another password"


@pytest.fixture(autouse=True)
def _disarmed() -> Any:
    yield
    failpoints.armed.clear()


async def test_login_when_all_is_well(client: httpx2.AsyncClient, ada: Account) -> None:
    """The answer has exactly the documented members."""
    answer = await log_in(client)

    body = answer.json()
    assert answer.status_code == 200
    assert body.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "user"}
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 900
    assert body["user"]["id"] == str(ada.id)
    assert answer.headers["cache-control"] == "no-store"


async def test_login_by_username_and_by_address_in_another_spelling(
    client: httpx2.AsyncClient, ada: Account
) -> None:
    assert (await log_in(client, "ada.lovelace")).status_code == 200
    assert (await log_in(client, "ADA@Example.ORG")).status_code == 200


@pytest.mark.bar("ASVS-3.3.4", "ASVS-3.3.2")
async def test_login_by_cookie_keeps_the_refresh_token_out_of_the_body(
    client: httpx2.AsyncClient, ada: Account
) -> None:
    answer = await log_in(client, transport="cookie")

    cookies = {each.partition("=")[0]: each for each in answer.headers.get_list("set-cookie")}
    assert "refresh_token" not in answer.json()
    assert "HttpOnly" in cookies["portico_refresh"]
    assert "SameSite=strict" in cookies["portico_refresh"]
    assert "Path=/api/v1/auth" in cookies["portico_refresh"]


@pytest.mark.bar("CHECK-15", "ASVS-6.3.8")
@ONE_DATABASE
async def test_strangers_get_the_same_answer_whether_or_not_the_name_exists(
    client: httpx2.AsyncClient, ada: Account
) -> None:
    known, unknown = await log_in(client, ADDRESS, WRONG), await log_in(client, "eve@example.org", WRONG)

    assert known.status_code == unknown.status_code == 401
    members = ("type", "title", "status", "detail", "code")
    assert [known.json()[name] for name in members] == [unknown.json()[name] for name in members]
    assert known.json()["code"] == "invalid_credentials"
    assert set(known.headers) == set(unknown.headers)


@pytest.mark.bar("CVE-2025-53942")
async def test_a_deactivated_account_is_told_so_after_the_right_password_only(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    await Users(runtime, runtime.unit()).deactivate_user(ada.id)

    right, wrong = await log_in(client), await log_in(client, ADDRESS, WRONG)

    assert (right.status_code, right.json()["code"]) == (403, "account_deactivated")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")
    refusals = await rows_of(runtime, AuditEntry, AuditEntry.action == "session.refused")
    assert [entry.reason for entry in refusals] == ["account_deactivated"]
    assert await rows_of(runtime, Session) == []


async def test_a_deleted_account_is_nobody(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    await Users(runtime, runtime.unit()).delete_account(ada.id)

    answer = await log_in(client)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")


class TestRequiredProof:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"credentials": FAST_HASHES, "users": {"email_verification": "required"}}

    async def test_an_unproven_address_is_told_so_after_the_right_password_only(
        self, runtime: Runtime, client: httpx2.AsyncClient
    ) -> None:
        await add_person(runtime, "new@example.org", verified=False)

        right = await log_in(client, "new@example.org")
        wrong = await log_in(client, "new@example.org", WRONG)

        assert (right.status_code, right.json()["code"]) == (403, "email_not_verified")
        assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")

    async def test_a_proven_address_signs_in(self, client: httpx2.AsyncClient, ada: Account) -> None:
        assert (await log_in(client)).status_code == 200


@pytest.mark.bar("ASVS-16.3.1")
async def test_every_outcome_is_on_the_trail(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    await log_in(client, ADDRESS, WRONG)
    await log_in(client)

    entries = await rows_of(runtime, AuditEntry)
    outcomes = [(entry.action, entry.outcome.value) for entry in entries]
    assert ("password.refused", "refused") in outcomes
    assert ("session.created", "success") in outcomes


@pytest.mark.bar("CVE-2025-24806")
async def test_guesses_by_any_alias_are_counted_together(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    for identifier in (ADDRESS, "ada.lovelace", "ADA@EXAMPLE.ORG", "Ada@example.org"):
        await log_in(client, identifier, WRONG)

    counters = await rows_of(runtime, GuessCounter)
    assert [counter.failures for counter in counters] == [4]


@pytest.mark.bar("ASVS-11.4.2")
async def test_an_old_hash_is_replaced_at_sign_in(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    from argon2 import PasswordHasher

    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    async with runtime.unit() as unit:
        await unit.session.execute(update(PasswordCredential).values(password_hash=old))

    first, second = await log_in(client), await log_in(client)

    [credential] = await rows_of(runtime, PasswordCredential)
    assert first.status_code == second.status_code == 200
    assert "m=8192,t=1,p=1" in credential.password_hash


@pytest.mark.bar("ASVS-15.4.2")
@pytest.mark.parametrize("change", ["deactivated", "deleted"])
async def test_what_changes_while_the_password_is_hashed_is_seen(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account, change: str
) -> None:
    async def meanwhile(_name: str) -> None:
        failpoints.armed.clear()
        off, gone = {"status": UserStatus.DEACTIVATED}, {"deleted_at": runtime.clock.now()}
        async with runtime.unit() as unit:
            await unit.session.execute(update(User).values(**(off if change == "deactivated" else gone)))

    failpoints.armed["credentials.proof.before_hash"] = meanwhile
    answer = await log_in(client)

    expected = {"deactivated": (403, "account_deactivated"), "deleted": (401, "invalid_credentials")}
    assert (answer.status_code, answer.json()["code"]) == expected[change]
    assert await rows_of(runtime, Session) == []


@pytest.mark.bar("ASVS-15.4.2")
async def test_a_password_changed_while_the_old_one_is_hashed_opens_nothing(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    async def meanwhile(name: str) -> None:
        failpoints.armed.clear()
        async with runtime.unit() as unit:
            await unit.session.execute(update(PasswordCredential).values(password_hash="$argon2id$other"))

    failpoints.armed["credentials.proof.before_hash"] = meanwhile
    answer = await log_in(client)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
    assert await rows_of(runtime, Session) == []


@pytest.mark.bar("ASVS-7.4.2")
async def test_deactivation_during_a_sign_in_leaves_no_live_session(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    """Whichever comes first, afterwards nothing that was signed in works."""
    failpoints.armed["sessions.open.after_lock"] = failpoints.delaying(0.02)

    answers = await asyncio.gather(
        *(log_in(client) for _ in range(4)), Users(runtime, runtime.unit()).deactivate_user(ada.id)
    )

    sessions = await rows_of(runtime, Session)
    assert all(session.ended_at is not None for session in sessions)
    for answer in answers[:-1]:
        assert isinstance(answer, httpx2.Response)
        if answer.status_code == 200:
            token = answer.json()["refresh_token"]
            assert (await refresh(client, token)).status_code == 401


@pytest.mark.bar("N13", "ASVS-7.2.3", "ASVS-11.5.1")
async def test_the_database_holds_nothing_that_could_be_presented(
    runtime: Runtime, client: httpx2.AsyncClient, signed_in: Callable[[], Awaitable[SignedInPerson]]
) -> None:
    from tests.sessions.people import sign_in_by_page

    person, cookie = await signed_in(), await sign_in_by_page(runtime)

    rows = await rows_of(runtime, Session)
    stored = repr([vars(row) for row in rows])
    assert len(cookie) == 43
    assert person.refresh_token not in stored
    assert cookie not in stored
    assert [row.cookie_hash for row in rows if row.cookie_hash] == [digest(cookie)]


class TestLimit:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"credentials": FAST_HASHES, "sessions": {"max_sessions_per_user": 3}}

    @pytest.mark.bar("ASVS-7.1.2", "ASVS-2.1.3")
    async def test_the_longest_rested_session_makes_room(
        self,
        runtime: Runtime,
        client: httpx2.AsyncClient,
        clock: FrozenClock,
        signed_in: Callable[[], Awaitable[SignedInPerson]],
    ) -> None:
        people = []
        for _ in range(3):
            people.append(await signed_in())
            clock.advance(timedelta(minutes=1))
        people[0] = SignedInPerson(
            client, *[(await people[0].refresh()).json()[name] for name in ("access_token", "refresh_token")]
        )
        clock.advance(timedelta(minutes=1))

        people.append(await signed_in())

        alive = [(await person.who_am_i()).status_code for person in people]
        assert alive == [200, 401, 200, 200]
        ended = await rows_of(runtime, Session, Session.ended_at.is_not(None))
        assert [session.ended_reason for session in ended] == [SessionEnd.REPLACED]

    @pytest.mark.bar("ASVS-2.3.2", "ASVS-2.3.4")
    async def test_the_limit_holds_when_many_sign_in_at_once(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        failpoints.armed["sessions.open.after_lock"] = failpoints.delaying(0.005)

        await asyncio.gather(*(log_in(client) for _ in range(9)))

        live = await rows_of(runtime, Session, Session.ended_at.is_(None))
        assert len(live) == 3


class TestRefusingLimit:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"credentials": FAST_HASHES, "sessions": {"max_sessions_per_user": 1, "on_limit": "refuse"}}

    @pytest.mark.bar("ASVS-7.1.2")
    async def test_one_more_is_refused_and_the_refusal_is_on_the_trail(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        person = await sign_in(client)

        answer = await log_in(client)

        assert (answer.status_code, answer.json()["code"]) == (409, "too_many_sessions")
        assert (await person.who_am_i()).status_code == 200
        refused = await rows_of(runtime, AuditEntry, AuditEntry.action == "session.refused")
        assert [entry.reason for entry in refused] == ["too_many_sessions"]

    async def test_an_expired_session_takes_no_room(
        self, client: httpx2.AsyncClient, ada: Account, clock: FrozenClock
    ) -> None:
        await sign_in(client)
        clock.advance(timedelta(days=8))

        assert (await log_in(client)).status_code == 200


@pytest.mark.bar("ASVS-6.3.5")
async def test_a_new_device_is_told_once_by_mail(
    client: httpx2.AsyncClient, ada: Account, mails: CapturedMails
) -> None:
    client.headers["user-agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    first = await log_in(client)
    assert len(mails) == 0

    client.headers["user-agent"] = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.5 Mobile/15E148 Safari/604.1"
    )
    second = await log_in(client)
    assert [mail.to for mail in mails] == [ADDRESS]
    assert "Mobile Safari on iOS" in mails[0].text

    client.headers["user-agent"] = "Something else"
    known_device = {"Cookie": f"{DEVICE_COOKIE}={second.cookies[DEVICE_COOKIE]}"}
    body = {"identifier": ADDRESS, "password": PASSWORD}
    client.cookies.clear()
    await client.post(f"{API}/auth/login", json=body, headers=known_device)
    assert len(mails) == 1
    assert first.cookies[DEVICE_COOKIE] != second.cookies[DEVICE_COOKIE]


class TestSilence:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"credentials": FAST_HASHES, "sessions": {"notify_new_device": False}}

    async def test_no_mail_when_the_setting_says_so(
        self, client: httpx2.AsyncClient, ada: Account, mails: CapturedMails
    ) -> None:
        for agent in ("one", "two"):
            client.headers["user-agent"] = agent
            await log_in(client)

        assert len(mails) == 0


@ONE_DATABASE
async def test_the_form_of_the_api_reference_gives_tokens(client: httpx2.AsyncClient, ada: Account) -> None:
    form = {"grant_type": "password", "username": ADDRESS, "password": PASSWORD}

    answer = await client.post(f"{API}/auth/token", data=form)

    assert answer.status_code == 200
    assert answer.json().keys() == {"access_token", "token_type", "expires_in", "refresh_token"}


class TestWithoutReference:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"credentials": FAST_HASHES, "http": {"api_reference": False}}

    @pytest.mark.bar("CVE-2026-7500", "ASVS-10.4.4", "R7")
    async def test_the_form_is_not_there(self, client: httpx2.AsyncClient, ada: Account) -> None:
        form = {"grant_type": "password", "username": ADDRESS, "password": PASSWORD}

        answer = await client.post(f"{API}/auth/token", data=form)

        assert answer.status_code == 404


@ONE_DATABASE
async def test_sign_in_and_refresh_are_never_answered_from_a_kept_answer(
    client: httpx2.AsyncClient, ada: Account
) -> None:
    """An `Idempotency-Key` must not hand the same tokens out twice."""
    headers = {"Idempotency-Key": "0123456789abcdef"}
    body = {"identifier": ADDRESS, "password": PASSWORD}

    answers = [await client.post(f"{API}/auth/login", json=body, headers=headers) for _ in range(2)]
    token = {"refresh_token": answers[0].json()["refresh_token"]}
    refreshed = [await client.post(f"{API}/auth/refresh", json=token, headers=headers) for _ in range(2)]

    for first, second in (answers, refreshed):
        assert first.json()["access_token"] != second.json()["access_token"]
        assert "idempotency-replayed" not in second.headers


MALFORMED: list[dict[str, Any]] = [
    {},
    {"identifier": ADDRESS},
    {"identifier": ADDRESS, "password": ""},
    {"identifier": ["ada@example.org"], "password": PASSWORD},
    {"identifier": ADDRESS, "password": 12345678},
    {"identifier": ADDRESS, "password": PASSWORD, "transport": "page"},
    {"identifier": ADDRESS, "password": PASSWORD, "transport": 1},
    {"identifier": "a" * 321, "password": PASSWORD},
    {"identifier": ADDRESS, "password": "p" * 4097},
    {"identifier": ADDRESS, "password": "\x00" * 8},
    {"identifier": "\ud800", "password": PASSWORD},
]


@pytest.mark.bar("ASVS-15.3.5", "ASVS-2.2.1")
@ONE_DATABASE
async def test_a_malformed_body_is_refused(
    client: httpx2.AsyncClient, ada: Account, subtests: pytest.Subtests
) -> None:
    for body in MALFORMED:
        with subtests.test(str(body)[:60]):
            answer = await client.post(
                f"{API}/auth/login",
                content=json.dumps(body),
                headers={"Content-Type": "application/json"},
            )

            assert answer.status_code in {400, 422}
            assert PASSWORD not in answer.text
