"""The API of sign-up and passwords, through the whole application."""

import time
from collections.abc import Sequence
from math import ceil
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from portico.app import default_features
from portico.core import failpoints
from portico.credentials.models import PasswordCredential, RegistrationToken
from portico.credentials.services import issue_setup_link
from portico.db.base import TABLE_PREFIX, Base
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing.mail import CapturedMails
from portico.users.models import User
from tests.credentials.acts import ADA, PASSWORD, account_of, count, knows_password, register, trail, under
from tests.credentials.test_changes import token_in
from tests.users.test_routes import API, ME, enter, login

pytestmark = pytest.mark.anyio
NEW = "orange magnet velvet otter"
AUTH = f"{API}/auth"


BAD_WISHES: list[tuple[dict[str, Any], int, str]] = [
    ({"email": '"a@b"@c'}, 422, "email_malformed"),
    ({"email": "ada@example.com,eve@example.com"}, 422, "email_malformed"),
    ({"email": "ada@example.com\r\nBcc: eve@example.com"}, 422, "email_malformed"),
    ({"email": "ada@example.com\x00"}, 422, "invalid"),
    ({"email": ""}, 422, "invalid"),
    ({"email": "a" * 400 + "@example.com"}, 422, "invalid"),
    ({"email": ["ada@example.com"]}, 422, "invalid"),
    ({"password": "short"}, 400, "password_rejected"),
    ({"password": "password1"}, 400, "password_rejected"),
    ({"password": "ä" * 600}, 400, "password_unreadable"),
    ({"password": "a" * 5000}, 422, "invalid"),
    ({"password": 12345678}, 422, "invalid"),
    ({"username": "аdmin"}, 422, "username_malformed"),
    ({"username": "admin"}, 409, "username_taken"),
    ({"full_name": "Ada\u202e"}, 422, "profile_invalid"),
    ({"locale": "tlh"}, 422, "profile_invalid"),
    ({"invitation": "ptr_none"}, 400, "invitation_invalid"),
    ({"unknown": 1}, 422, "invalid"),
]
BAD_BODIES = [
    b"",
    b"{",
    b'{"email": "\xff"}',
    b'{"email": "\\ud800@b.de", "password": "x"}',
    b"[1, 2]",
    b"null",
    b'{"email": NaN}',
]


@pytest.fixture
def features() -> Sequence[Feature]:
    return default_features()


def told(answer: httpx2.Response) -> tuple[int, Any, dict[str, str]]:
    """Return what an answer tells, without what differs from request to request."""
    varying = {"x-request-id", "date", "content-length"}
    body = answer.json() if answer.content else None
    if isinstance(body, dict):
        body.pop("request_id", None)
    return (
        answer.status_code,
        body,
        {key: value for key, value in answer.headers.items() if key not in varying},
    )


class TestRegister:
    async def test_shows_the_account(self, client: httpx2.AsyncClient) -> None:
        body = {
            "email": "Ada@Example.com",
            "password": PASSWORD,
            "username": "ada",
            "full_name": "Ada",
            "locale": "de",
        }

        answer = await client.post(f"{AUTH}/register", json=body)

        assert answer.status_code == 201
        assert answer.json()["email"] == "Ada@Example.com"
        assert answer.json()["locale"] == "de"
        assert answer.headers["etag"] == '"1"'
        assert "password" not in answer.text

    async def test_takes_the_language_of_the_browser(self, client: httpx2.AsyncClient) -> None:
        body = {"email": ADA, "password": PASSWORD}

        answer = await client.post(
            f"{AUTH}/register", json=body, headers={"Accept-Language": "fr-FR, de-CH;q=0.8"}
        )

        assert answer.json()["locale"] == "de"

    @pytest.mark.bar("CHECK-17", "ASVS-15.3.3", "CVE-2022-46145", "CVE-2026-27946")
    async def test_takes_no_field_that_decides_who_somebody_is(
        self, client: httpx2.AsyncClient, runtime: Runtime
    ) -> None:
        names = {
            "id",
            "role",
            "roles",
            "is_superuser",
            "status",
            "email_verified",
            "verified_at",
            "created_at",
            "user_id",
        }
        names |= {column.name for column in RegistrationToken.__table__.columns}

        for name in sorted(names):
            body = {"email": ADA, "password": PASSWORD, name: True}
            answer = await client.post(f"{AUTH}/register", json=body)
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, name)

        assert await count(runtime, User) == 0

    @pytest.mark.bar("ASVS-2.2.1", "ASVS-2.2.2", "CVE-2022-35924", "CVE-2026-40574")
    async def test_bad_input_gets_a_clear_answer_and_leaves_nothing(
        self, client: httpx2.AsyncClient, runtime: Runtime, subtests: pytest.Subtests
    ) -> None:
        for change, status, code in BAD_WISHES:
            with subtests.test(change=ascii(change)[:60]):
                answer = await client.post(
                    f"{AUTH}/register", json={"email": ADA, "password": PASSWORD, **change}
                )
                assert (answer.status_code, answer.json()["code"]) == (status, code)
                assert "Traceback" not in answer.text

        assert await count(runtime, User) == 0

    async def test_a_body_that_is_none_gets_a_clear_answer(
        self, client: httpx2.AsyncClient, subtests: pytest.Subtests
    ) -> None:
        headers = {"Content-Type": "application/json"}
        for body in BAD_BODIES:
            with subtests.test(body=body):
                answer = await client.post(f"{AUTH}/register", content=body, headers=headers)
                assert answer.status_code in {400, 422}
                assert answer.headers["content-type"] == "application/problem+json"

    @pytest.mark.bar("P26", "P27", "ASVS-6.2.9")
    async def test_a_password_of_a_megabyte_is_refused_at_once(self, client: httpx2.AsyncClient) -> None:
        started = time.perf_counter()

        answer = await client.post(f"{AUTH}/register", json={"email": ADA, "password": "a" * 1_000_000})

        assert answer.status_code in {413, 422}
        assert time.perf_counter() - started < 0.5

    @under(users={"email_verification": "required"})
    @pytest.mark.bar("CHECK-15", "ASVS-6.3.8")
    async def test_answers_the_same_where_proof_is_required(
        self, client: httpx2.AsyncClient, mails: CapturedMails
    ) -> None:
        async def answer(email: str) -> Any:
            return told(await client.post(f"{AUTH}/register", json={"email": email, "password": PASSWORD}))

        free = await answer(ADA)
        unproven = await answer(ADA)
        await client.post(f"{AUTH}/email/verify", json={"token": token_in(mails)})
        proven = await answer(ADA)

        assert free == unproven == proven
        assert free[:2] == (202, {"status": "accepted"})

    async def test_a_failing_commit_is_told_and_mails_nothing(
        self, client: httpx2.AsyncClient, runtime: Runtime, mails: CapturedMails
    ) -> None:
        failpoints.armed["db.unit.before_commit"] = failpoints.raising()
        try:
            answer = await client.post(f"{AUTH}/register", json={"email": ADA, "password": PASSWORD})
        finally:
            failpoints.armed.clear()

        assert answer.status_code == 500
        assert list(mails) == []
        assert await count(runtime, User) == 0


@pytest.mark.bar("CHECK-13", "CVE-2025-64101", "GHSA-93m4-mfpg-c3xf", "CVE-2025-71401", "CVE-2024-47070")
async def test_no_header_reaches_a_link(client: httpx2.AsyncClient, mails: CapturedMails) -> None:
    poison = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "javascript",
        "X-Forwarded-For": "garbage, \\x00, 1.2.3.4",
        "X_Forwarded_Host": "evil.example",
        "Forwarded": "host=evil.example;proto=https;for=evil",
        "X-Original-URL": "https://evil.example/",
        "X-Host": "evil.example",
        "Origin": "http://localhost:8000",
        "Referer": "https://evil.example/",
    }
    await client.post(f"{AUTH}/register", json={"email": ADA, "password": PASSWORD}, headers=poison)
    await client.post(f"{AUTH}/email/resend", json={"email": ADA}, headers=poison)
    await client.post(f"{AUTH}/password/forgot", json={"email": ADA}, headers=poison)

    assert len(mails) == 3
    for mail in mails:
        assert "evil" not in mail.text + mail.html + mail.subject
        assert {link.split("/")[2] for link in mail.links} == {"localhost:8000"}


class TestPassword:
    @pytest.mark.bar("ASVS-7.4.3", "CHECK-21")
    async def test_change_ends_every_other_session(
        self, client: httpx2.AsyncClient, mails: CapturedMails
    ) -> None:
        here = await enter(client)
        there = await login(client)

        body = {"current_password": PASSWORD, "new_password": NEW}
        answer = await client.post(f"{AUTH}/password/change", json=body, headers=here)

        assert (answer.status_code, answer.content) == (204, b"")
        assert (await client.get(ME, headers=here)).status_code == 200
        assert (await client.get(ME, headers=there)).status_code == 401
        assert await login(client, password=NEW)
        assert "was changed" in mails.last(to=ADA).subject

    async def test_change_with_the_wrong_password_is_refused_and_kept(
        self, client: httpx2.AsyncClient, runtime: Runtime
    ) -> None:
        here = await enter(client)

        body = {"current_password": "wrong", "new_password": NEW}
        answer = await client.post(f"{AUTH}/password/change", json=body, headers=here)

        assert (answer.status_code, answer.json()["code"]) == (403, "password_incorrect")
        assert await knows_password(runtime, ADA, PASSWORD)
        assert ("password.refused", "refused", "wrong_password") in await trail(runtime)

    async def test_change_needs_somebody(self, client: httpx2.AsyncClient) -> None:
        body = {"current_password": PASSWORD, "new_password": NEW}

        assert (await client.post(f"{AUTH}/password/change", json=body)).status_code == 401

    @pytest.mark.bar("CHECK-15", "ASVS-6.3.8", "ASVS-6.4.3")
    async def test_forgotten_password(self, client: httpx2.AsyncClient, mails: CapturedMails) -> None:
        here = await enter(client)
        answers = [
            told(await client.post(f"{AUTH}/password/forgot", json={"email": email}))
            for email in (ADA, "nobody@example.com")
        ]
        assert answers[0] == answers[1]
        assert answers[0][0] == 202

        body = {"token": token_in(mails), "new_password": NEW}
        answer = await client.post(f"{AUTH}/password/reset", json=body)

        assert (answer.status_code, answer.content) == (204, b"")
        assert "set-cookie" not in answer.headers
        assert (await client.get(ME, headers=here)).status_code == 401
        assert await login(client, password=NEW)
        again = await client.post(f"{AUTH}/password/reset", json=body)
        assert (again.status_code, again.json()["code"]) == (410, "token_used")

    async def test_reset_by_code(self, client: httpx2.AsyncClient, mails: CapturedMails) -> None:
        await enter(client)
        await client.post(f"{AUTH}/password/forgot", json={"email": ADA})

        body = {"email": ADA, "code": mails.last(to=ADA).code, "new_password": NEW}
        assert (await client.post(f"{AUTH}/password/reset", json=body)).status_code == 204
        wrong = await client.post(f"{AUTH}/password/reset", json={**body, "code": "00000000"})

        assert (wrong.status_code, wrong.json()["code"]) == (400, "code_invalid")

    async def test_reset_needs_a_token_or_a_code_with_its_address(
        self, client: httpx2.AsyncClient, subtests: pytest.Subtests
    ) -> None:
        bodies: list[dict[str, str]] = [{}, {"token": "x", "email": ADA}, {"email": ADA}, {"code": "1"}]
        for body in bodies:
            with subtests.test(body=body):
                answer = await client.post(f"{AUTH}/password/reset", json={**body, "new_password": NEW})
                assert (answer.status_code, answer.json()["code"]) == (400, "proof_incomplete")

    @pytest.mark.bar("CHECK-14", "CHECK-15")
    async def test_too_many_wrong_passwords_are_told_alike(self, client: httpx2.AsyncClient) -> None:
        await enter(client)
        told_of = {}
        for name in (ADA, "nobody@example.com"):
            answers = [
                await client.post(f"{AUTH}/login", json={"identifier": name, "password": "wrong"})
                for _ in range(11)
            ]
            assert [answer.status_code for answer in answers] == [401] * 10 + [429]
            told_of[name] = [told(answer) for answer in answers]

        assert told_of[ADA] == told_of["nobody@example.com"]
        assert told_of[ADA][-1][2]["retry-after"] == "60"


class TestSetup:
    @pytest.mark.bar("ASVS-6.3.2", "ASVS-6.4.1", "ASVS-13.2.3")
    async def test_a_fresh_server_lets_nobody_in_before_its_link_is_used(
        self, client: httpx2.AsyncClient, runtime: Runtime, mails: CapturedMails
    ) -> None:
        for name in ("admin", "root", "portico", "admin@example.com"):
            for password in ("admin", "password", "portico", ""):
                answer = await client.post(f"{AUTH}/login", json={"identifier": name, "password": password})
                assert answer.status_code in {401, 422}
        link = await issue_setup_link(runtime)
        assert link is not None
        token = link.partition("token=")[2]

        body = {"token": token, "email": "root@example.com", "password": PASSWORD}
        answer = await client.post(f"{AUTH}/setup", json=body)

        assert answer.status_code == 201
        assert (answer.json()["roles"], answer.json()["email_verified"]) == (["superuser"], True)
        assert "administrator" in mails.last(to="root@example.com").subject
        assert await issue_setup_link(runtime) is None
        again = await client.post(f"{AUTH}/setup", json={**body, "email": "eve@example.com"})
        assert again.status_code == 410

    async def test_a_newer_link_voids_the_older(self, client: httpx2.AsyncClient, runtime: Runtime) -> None:
        older = await issue_setup_link(runtime) or ""
        await issue_setup_link(runtime)

        body = {"token": older.partition("token=")[2], "email": ADA, "password": PASSWORD}
        assert (await client.post(f"{AUTH}/setup", json=body)).status_code == 410
        assert await count(runtime, PasswordCredential) == 0

    async def test_a_weak_password_leaves_the_link_good(
        self, client: httpx2.AsyncClient, runtime: Runtime
    ) -> None:
        link = await issue_setup_link(runtime) or ""
        body = {"token": link.partition("token=")[2], "email": ADA, "password": "password"}

        assert (await client.post(f"{AUTH}/setup", json=body)).status_code == 400
        assert (await client.post(f"{AUTH}/setup", json={**body, "password": PASSWORD})).status_code == 201


@pytest.mark.bar("CHECK-23", "ASVS-6.5.2", "ASVS-16.2.5")
async def test_no_secret_stands_in_the_database_or_the_log(
    client: httpx2.AsyncClient, runtime: Runtime, mails: CapturedMails, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = "canary velvet otter magnet"
    await client.post(f"{AUTH}/register", json={"email": ADA, "password": canary})
    await client.post(f"{AUTH}/register", json={"email": ADA, "password": canary + " claimed"})
    await client.post(f"{AUTH}/login", json={"identifier": ADA, "password": canary})
    await client.post(f"{AUTH}/login", json={"identifier": canary, "password": "wrong " + canary})
    await client.post(f"{AUTH}/password/forgot", json={"email": ADA})
    secrets = [
        canary,
        *(link.partition("token=")[2] for mail in mails for link in mail.links),
        *(mail.code for mail in mails),
    ]

    async with runtime.reads() as session:
        rows = [
            str(row)
            for table in Base.metadata.sorted_tables
            if table.name.startswith(TABLE_PREFIX)
            for row in await session.execute(text(f"SELECT * FROM {table.name}"))
        ]
    written = "\n".join(rows) + "".join(capsys.readouterr())

    for secret in secrets:
        assert not secret or secret not in written


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.bar("CHECK-15", "ASVS-6.3.8", "CVE-2024-39329")
@pytest.mark.parametrize("settings_overrides", [{}], ids=["full_hash"])
async def test_time_tells_nothing(client: httpx2.AsyncClient, runtime: Runtime) -> None:
    """The gap is not significantly more than 2 ms; asked in pairs, so that a busy machine slows both."""
    pairs = 60
    for number in range(pairs):
        await register(runtime, f"p{number}@example.com")

    async def spent(name: str) -> float:
        started = time.perf_counter()
        await client.post(f"{AUTH}/login", json={"identifier": name, "password": "wrong"})
        await client.post(f"{AUTH}/password/forgot", json={"email": name})
        return time.perf_counter() - started

    gaps = []
    for number in range(pairs):
        known, nobody = f"p{number}@example.com", f"q{number}@example.com"
        if number % 2:
            gaps.append(await spent(known) - await spent(nobody))
        else:
            gaps.append(-(await spent(nobody)) + await spent(known))

    low, high = median_interval(gaps[4:])
    assert low < 0.002
    assert high > -0.002


def median_interval(values: list[float]) -> tuple[float, float]:
    """Return the 95 % interval of the median, by ranks: it asks nothing of the distribution."""
    ordered, half = sorted(values), 0.98 * len(values) ** 0.5
    middle = len(values) / 2
    return ordered[max(0, int(middle - half))], ordered[min(len(values) - 1, ceil(middle + half))]


async def test_the_account_of_a_story(
    client: httpx2.AsyncClient, runtime: Runtime, mails: CapturedMails
) -> None:
    """Sign up, prove, sign in, change, forget, recover, leave."""
    headers = await enter(client, username="ada")
    await client.post(f"{AUTH}/email/verify", json={"token": token_in(mails)})
    await client.patch(ME, headers=headers, json={"full_name": "Ada Lovelace"})
    await client.post(f"{AUTH}/password/forgot", json={"email": ADA})
    await client.post(f"{AUTH}/password/reset", json={"token": token_in(mails), "new_password": NEW})
    headers = await login(client, "ada", NEW)

    assert (await account_of(runtime)).full_name == "Ada Lovelace"
    assert (await client.delete(ME, headers=headers)).status_code == 204
