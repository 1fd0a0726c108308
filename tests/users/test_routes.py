"""The API of people, through the whole application."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from portico.access.services import Grants
from portico.access.types import PlatformRole
from portico.app import default_features
from portico.core.ids import PrincipalId, UserId
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails
from portico.users.addresses import parse_address
from portico.users.models import EmailAddress, User
from portico.users.services import Users
from tests.credentials.acts import ADA, PASSWORD, account_of, count, measured, under
from tests.credentials.test_changes import token_in

pytestmark = pytest.mark.anyio
API = "/api/v1"
ME = f"{API}/users/me"
FIELDS = {
    "id", "email", "email_verified", "username", "full_name", "locale", "timezone", "status", "roles",
    "created_at", "updated_at", "version",
}  # fmt: skip


BAD_PROFILES: list[Any] = [
    {"full_name": 1}, {"full_name": ["Ada"]}, {"full_name": "a" * 201}, {"full_name": "\x00"}, {"username": True},
    {"locale": "xx"}, {"timezone": "Nowhere"}, {"username": "a@b"}, [], "text", None,
]  # fmt: skip
NO_PROOFS: list[Any] = [
    {}, {"token": "x", "code": "1"}, {"email": ADA}, {"code": "12345678"},
    {"token": "x", "email": ADA, "code": "1"},
]  # fmt: skip


@pytest.fixture
def features() -> Sequence[Feature]:
    return default_features()


async def enter(client: httpx2.AsyncClient, email: str = ADA, **more: Any) -> dict[str, str]:
    """Sign up and in; return the headers that say who asks."""
    body = {"email": email, "password": PASSWORD, **more}
    assert (await client.post(f"{API}/auth/register", json=body)).status_code == 201
    return await login(client, email)


async def login(client: httpx2.AsyncClient, email: str = ADA, password: str = PASSWORD) -> dict[str, str]:
    answer = await client.post(f"{API}/auth/login", json={"identifier": email, "password": password})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


class TestReadingOneself:
    @pytest.mark.bar("ASVS-15.3.1", "ASVS-8.2.3")
    async def test_shows_these_fields_and_no_others(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get(ME, headers=await enter(client, username="ada"))

        assert answer.status_code == 200
        assert answer.json().keys() == FIELDS
        assert (answer.json()["email"], answer.json()["username"], answer.json()["roles"]) == (ADA, "ada", [])
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"

    async def test_asks_no_database_the_second_time(
        self, client: httpx2.AsyncClient, runtime: Runtime
    ) -> None:
        headers = await enter(client)
        first = await client.get(ME, headers=headers)

        async with measured(runtime) as work:
            second = await client.get(ME, headers=headers)

        assert second.json() == first.json()
        assert work.statements == []

    async def test_answers_304_to_who_has_it(self, client: httpx2.AsyncClient) -> None:
        headers = await enter(client)
        tag = (await client.get(ME, headers=headers)).headers["etag"]

        for known in (tag, f'"0", {tag}', f"W/{tag}", "*"):
            answer = await client.get(ME, headers={**headers, "If-None-Match": known})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        answer = await client.get(ME, headers={**headers, "If-None-Match": '"0"'})
        assert answer.status_code == 200

    async def test_by_head_has_no_body(self, client: httpx2.AsyncClient) -> None:
        headers = await enter(client)

        answer = await client.head(ME, headers=headers)

        assert (answer.status_code, answer.content) == (200, b"")
        assert int(answer.headers["content-length"]) > 100

    async def test_needs_somebody(self, client: httpx2.AsyncClient) -> None:
        assert (await client.get(ME)).status_code == 401

    async def test_shows_at_once_what_changed(
        self, client: httpx2.AsyncClient, runtime: Runtime, mails: CapturedMails
    ) -> None:
        headers = await enter(client)
        account = await account_of(runtime)

        async def seen() -> dict[str, Any]:
            shown: dict[str, Any] = (await client.get(ME, headers=headers)).json()
            return shown

        assert not (await seen())["email_verified"]
        await client.post(f"{API}/auth/email/verify", json={"token": token_in(mails)})
        assert (await seen())["email_verified"]
        await client.patch(ME, headers=headers, json={"full_name": "Ada"})
        assert (await seen())["full_name"] == "Ada"
        grants = Grants(runtime, runtime.unit())
        await grants.grant_role(PrincipalId(account.id), PlatformRole.SUPERUSER)
        answer = await client.get(ME, headers=await login(client))
        assert answer.json()["roles"] == ["superuser"]
        assert answer.json()["version"] == 4


class TestChangingOneself:
    async def test_needs_the_version_where_one_is_named(self, client: httpx2.AsyncClient) -> None:
        headers = await enter(client)
        tag = (await client.get(ME, headers=headers)).headers["etag"]

        answer = await client.patch(ME, headers={**headers, "If-Match": tag}, json={"full_name": "Ada"})
        assert answer.status_code == 200
        assert answer.headers["etag"] == f'"{answer.json()["version"]}"' != tag
        stale = await client.patch(ME, headers={**headers, "If-Match": tag}, json={"full_name": "Eve"})
        assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
        assert (await client.get(ME, headers=headers)).json()["full_name"] == "Ada"

    @pytest.mark.bar("CHECK-17", "ASVS-15.3.3", "CVE-2026-27946", "CVE-2026-40172", "CVE-2026-49443")
    async def test_takes_no_field_that_decides_who_somebody_is(
        self, client: httpx2.AsyncClient, runtime: Runtime
    ) -> None:
        headers = await enter(client)
        before = await account_of(runtime)
        columns = {column.name for model in (User, EmailAddress) for column in model.__table__.columns}
        forbidden = columns | FIELDS | {"role", "is_admin", "is_superuser", "password", "user_id", "verified"}

        for name in sorted(forbidden - {"username", "full_name", "locale", "timezone"}):
            answer = await client.patch(ME, headers=headers, json={name: True, "full_name": "Eve"})
            assert answer.status_code == 422, name
            assert answer.json()["errors"][0]["field"] == name

        assert await account_of(runtime) == before

    @pytest.mark.bar("ASVS-15.3.5")
    async def test_refuses_what_is_not_valid(
        self, client: httpx2.AsyncClient, runtime: Runtime, subtests: pytest.Subtests
    ) -> None:
        headers = await enter(client)

        for body in BAD_PROFILES:
            with subtests.test(body=body):
                answer = await client.patch(ME, headers=headers, json=body)
                assert answer.status_code == 422
                assert answer.headers["content-type"] == "application/problem+json"

        assert (await account_of(runtime)).version == 1


class TestReadingOthers:
    @pytest.mark.bar("CHECK-1", "ASVS-8.2.2")
    async def test_there_is_nobody_to_be_seen(self, client: httpx2.AsyncClient, runtime: Runtime) -> None:
        headers = await enter(client)
        await enter(client, "eve@example.com")
        ada, eve = await account_of(runtime), await account_of(runtime, "eve@example.com")

        async def status(user_id: object, caller: dict[str, str]) -> int:
            return (await client.get(f"{API}/users/{user_id}", headers=caller)).status_code

        assert await status(ada.id, headers) == 200
        assert await status(eve.id, headers) == 404
        assert await status(UserId(PrincipalId(eve.email_id)), headers) == 404
        assert await status("not-an-id", headers) == 422
        assert await status(ada.id, {}) == 401
        grants = Grants(runtime, runtime.unit())
        await grants.grant_role(PrincipalId(ada.id), PlatformRole.SUPERUSER)
        assert await status(eve.id, await login(client)) == 200


class TestLeaving:
    async def test_right_after_signing_in(self, client: httpx2.AsyncClient, runtime: Runtime) -> None:
        headers = await enter(client)

        answer = await client.delete(ME, headers=headers)

        assert (answer.status_code, answer.content) == (204, b"")
        assert (await client.get(ME, headers=headers)).status_code == 401
        gone = await client.post(f"{API}/auth/login", json={"identifier": ADA, "password": PASSWORD})
        assert (gone.status_code, gone.json()["code"]) == (401, "invalid_credentials")

    @pytest.mark.bar("ASVS-7.5.1", "CHECK-21")
    async def test_later_needs_the_password(
        self, client: httpx2.AsyncClient, runtime: Runtime, clock: FrozenClock
    ) -> None:
        headers = await enter(client)
        clock.advance(timedelta(minutes=11))

        bare = await client.delete(ME, headers=headers)
        assert (bare.status_code, bare.json()["code"]) == (403, "reauthentication_required")
        wrong = await client.request("DELETE", ME, headers=headers, json={"password": "wrong"})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "password_incorrect")
        assert (await account_of(runtime)).email == ADA
        right = await client.request("DELETE", ME, headers=headers, json={"password": PASSWORD})
        assert right.status_code == 204

    async def test_takes_the_data_along(self, client: httpx2.AsyncClient) -> None:
        headers = await enter(client, full_name="Ada Lovelace")

        answer = await client.get(f"{ME}/export", headers=headers)

        assert answer.status_code == 200
        assert "attachment" in answer.headers["content-disposition"]
        assert answer.json()["profile"]["full_name"] == "Ada Lovelace"
        assert answer.json()["email_addresses"][0]["address"] == ADA


class TestAddresses:
    async def test_change_is_confirmed_by_the_same_route(
        self, client: httpx2.AsyncClient, runtime: Runtime, mails: CapturedMails
    ) -> None:
        headers = await enter(client)
        body = {"email": "new@example.com", "password": PASSWORD}
        assert (await client.post(f"{API}/auth/email/change", headers=headers, json=body)).status_code == 202

        token = token_in(mails, "new@example.com")
        answer = await client.post(f"{API}/auth/email/verify", json={"token": token})

        assert answer.json() == {"email": "new@example.com", "email_verified": True}
        assert (await client.get(ME, headers=headers)).json()["email"] == "new@example.com"
        assert "was changed" in mails.last(to=ADA).subject

    async def test_a_proof_is_a_token_or_a_code_with_its_address(
        self, client: httpx2.AsyncClient, subtests: pytest.Subtests
    ) -> None:
        for body in NO_PROOFS:
            with subtests.test(body=body):
                answer = await client.post(f"{API}/auth/email/verify", json=body)
                assert (answer.status_code, answer.json()["code"]) == (400, "proof_incomplete")

    async def test_a_proof_that_is_none(self, client: httpx2.AsyncClient) -> None:
        token = await client.post(f"{API}/auth/email/verify", json={"token": "ptk_none"})
        code = await client.post(f"{API}/auth/email/verify", json={"email": ADA, "code": "12345678"})
        address = await client.post(f"{API}/auth/email/verify", json={"email": "a@b@c", "code": "12345678"})

        assert (token.status_code, token.json()["code"]) == (400, "token_invalid")
        assert (code.status_code, code.json()["code"]) == (400, "code_invalid")
        assert (address.status_code, address.json()["code"]) == (422, "email_malformed")

    @pytest.mark.bar("ASVS-3.5.3")
    async def test_no_get_changes_anything(
        self, client: httpx2.AsyncClient, runtime: Runtime, mails: CapturedMails
    ) -> None:
        await enter(client)
        token = token_in(mails)

        for path in (f"/verify?token={token}", f"{API}/auth/email/verify?token={token}"):
            for _ in range(2):
                await client.get(path)

        assert not (await account_of(runtime)).email_verified
        assert (await client.post(f"{API}/auth/email/verify", json={"token": token})).status_code == 200

    async def test_resend_tells_nothing(self, client: httpx2.AsyncClient, mails: CapturedMails) -> None:
        await enter(client)
        mails.clear()

        answers = [
            await client.post(f"{API}/auth/email/resend", json={"email": email})
            for email in (ADA, "nobody@example.com")
        ]

        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json() == answers[1].json() == {"status": "accepted"}
        assert [mail.to for mail in mails] == [ADA]


@under(users={"email_verification": "required"})
@pytest.mark.bar("ASVS-6.3.4")
async def test_where_proof_is_required_signing_in_waits_for_it(
    client: httpx2.AsyncClient, mails: CapturedMails
) -> None:
    body = {"email": ADA, "password": PASSWORD}
    assert (await client.post(f"{API}/auth/register", json=body)).status_code == 202
    early = await client.post(f"{API}/auth/login", json={"identifier": ADA, "password": PASSWORD})
    wrong = await client.post(f"{API}/auth/login", json={"identifier": ADA, "password": "wrong"})
    assert (early.status_code, early.json()["code"]) == (403, "email_not_verified")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")

    code = mails.last(to=ADA).code
    await client.post(f"{API}/auth/email/verify", json={"email": ADA, "code": code})

    assert await login(client)


async def test_normal_form_decides_about_one_address(client: httpx2.AsyncClient, runtime: Runtime) -> None:
    await enter(client)

    for spelling in ("ADA@EXAMPLE.COM", " ada@example.com ", "Ada@Example.Com"):
        answer = await client.post(f"{API}/auth/register", json={"email": spelling, "password": PASSWORD})
        assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
        assert await Users(runtime, runtime.unit()).find_by_email(parse_address(spelling)) is not None
    assert await count(runtime, User) == 1
