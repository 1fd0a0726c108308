"""Administrators list, add, change, switch off and on, unlock, delete and restore people."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from portico.audit.models import AuditEntry
from portico.core.ids import new_id
from portico.credentials.models import GuessCounter
from portico.runtime import Runtime
from portico.sessions.models import Session
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails
from portico.users.types import Account
from tests.sessions.people import (
    ADDRESS,
    API,
    PASSWORD,
    SignedInPerson,
    add_person,
    log_in,
    rows_of,
    sign_in,
    sign_in_by_page,
)

pytestmark = pytest.mark.anyio


async def listed(admin: SignedInPerson, **params: Any) -> list[str]:
    answer = await admin.request("GET", "/admin/users", params=params)
    assert answer.status_code == 200, answer.text
    return [each["email"].partition("@")[0] for each in answer.json()["data"]]


class TestList:
    async def test_filters_search_and_order(
        self, runtime: Runtime, admin: SignedInPerson, clock: FrozenClock
    ) -> None:
        for name in ("zoe", "bob", "a_b", "axb"):
            clock.advance(timedelta(seconds=1))
            await add_person(runtime, f"{name}@example.org", verified=name != "bob")
        [bob] = (await admin.request("GET", "/admin/users", params={"q": "bob"})).json()["data"]
        await admin.request("POST", f"/admin/users/{bob['id']}/deactivate")

        assert await listed(admin) == ["axb", "a_b", "bob", "zoe", "root"]
        assert await listed(admin, sort_order="asc") == ["root", "zoe", "bob", "a_b", "axb"]
        assert await listed(admin, sort_by="email", sort_order="asc") == ["a_b", "axb", "bob", "root", "zoe"]
        assert await listed(admin, q="ZOE") == ["zoe"]
        assert await listed(admin, q="a_b") == ["a_b"]
        assert await listed(admin, q="%") == []
        assert await listed(admin, q="GRACE") == ["root"]
        assert await listed(admin, status="deactivated") == ["bob"]
        assert await listed(admin, verified="false") == ["bob"]
        assert await listed(admin, role="superuser") == ["root"]
        assert await listed(admin, role="superuser", status="deactivated") == []

    @pytest.mark.bar("CHECK-19", "ASVS-1.2.4", "CVE-2022-24124", "ASVS-2.2.1")
    async def test_names_that_are_not_on_the_list_are_refused(
        self, admin: SignedInPerson, subtests: pytest.Subtests
    ) -> None:
        for params in (
            {"sort_by": "password_hash"},
            {"sort_by": "email; DROP TABLE portico_users"},
            {"sort_order": "sideways"},
            {"status": "' OR 1=1 --"},
            {"role": "owner"},
            {"page_size": 101},
            {"page": 0},
            {"unknown": "1"},
            {"q": "x" * 201},
        ):
            with subtests.test(str(params)):
                assert (await admin.request("GET", "/admin/users", params=params)).status_code == 422

    async def test_pages_and_cursors_tell_the_same_story(
        self, runtime: Runtime, admin: SignedInPerson, clock: FrozenClock
    ) -> None:
        for number in range(7):
            # Two at the same moment: the id decides between them.
            clock.advance(timedelta(seconds=number % 2))
            await add_person(runtime, f"p{number}@example.org")
        whole = await listed(admin)

        by_page = [each for page in (1, 2, 3) for each in await listed(admin, page=page, page_size=3)]
        by_cursor: list[str] = []
        params: dict[str, Any] = {"page_size": 3}
        while True:
            body = (await admin.request("GET", "/admin/users", params=params)).json()
            by_cursor += [each["email"].partition("@")[0] for each in body["data"]]
            if not body["pagination"]["has_next"]:
                break
            params["cursor"] = body["pagination"]["next_cursor"]

        assert whole == by_page == by_cursor
        assert len(whole) == 8
        first = (await admin.request("GET", "/admin/users", params={"page_size": 3})).json()["pagination"]
        assert (first["total"], first["total_pages"], first["has_prev"]) == (8, 3, False)

    @pytest.mark.bar("CVE-2026-33503", "CHECK-19")
    async def test_a_cursor_of_another_list_or_filter_is_refused(
        self, runtime: Runtime, admin: SignedInPerson
    ) -> None:
        for number in range(3):
            await add_person(runtime, f"p{number}@example.org")
        body = (await admin.request("GET", "/admin/users", params={"page_size": 1})).json()
        cursor = body["pagination"]["next_cursor"]

        for path, params in (
            ("/admin/users", {"page_size": 1, "status": "active", "cursor": cursor}),
            ("/admin/users", {"page_size": 1, "sort_by": "email", "cursor": cursor}),
            ("/admin/users", {"page_size": 1, "cursor": cursor[:-2] + "AA"}),
            ("/admin/audit", {"page_size": 1, "cursor": cursor}),
        ):
            answer = await admin.request("GET", path, params=params)
            assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")

    async def test_the_deleted_are_not_listed(self, admin: SignedInPerson, ada: Account) -> None:
        assert "ada" in await listed(admin)

        await admin.request("DELETE", f"/admin/users/{ada.id}")

        assert "ada" not in await listed(admin)
        assert await listed(admin, deleted="true") == ["ada"]
        assert await listed(admin, deleted="true", sort_by="email", q="ada") == ["ada"]
        assert (await admin.request("GET", f"/admin/users/{ada.id}")).status_code == 404


class TestAdd:
    @pytest.mark.bar("ASVS-6.4.6", "ASVS-6.4.1")
    async def test_a_person_that_is_added_chooses_the_password_himself(
        self, runtime: Runtime, client: httpx2.AsyncClient, admin: SignedInPerson, mails: CapturedMails
    ) -> None:
        wanted = {"email": "Bob@example.org", "username": "bob", "full_name": "Bob Bell", "locale": "de"}
        answer = await admin.request("POST", "/admin/users", json=wanted)
        assert answer.status_code == 201
        assert answer.headers["location"] == f"/api/v1/admin/users/{answer.json()['id']}"
        mail = mails.last(to="bob@example.org")
        [link] = [link for link in mail.links if "/reset?token=" in link]
        assert link.startswith("http://localhost:8000/")
        assert (await log_in(client, "bob@example.org")).status_code == 401

        body = {"token": link.partition("token=")[2], "new_password": PASSWORD}
        assert (await client.post(f"{API}/auth/password/reset", json=body)).status_code < 300

        bob = await sign_in(client, "bob@example.org")
        profile = (await bob.who_am_i()).json()
        assert (profile["email_verified"], profile["full_name"], profile["username"]) == (
            True,
            "Bob Bell",
            "bob",
        )
        [entry] = await rows_of(
            runtime, AuditEntry, AuditEntry.action == "user.created", AuditEntry.session_id.is_not(None)
        )
        assert str(entry.actor_id) != answer.json()["id"]

    async def test_what_is_not_valid_or_taken_is_refused(self, admin: SignedInPerson, ada: Account) -> None:
        for wanted, status, code in (
            ({"email": "not an address"}, 422, "email_malformed"),
            ({"email": ADDRESS}, 409, "email_taken"),
            ({"email": "new@example.org", "username": "ada.lovelace"}, 409, "username_taken"),
            ({"email": "new@example.org", "locale": "xx"}, 422, "profile_invalid"),
            ({"email": "new@example.org", "password": "chosen for him"}, 422, "invalid"),
        ):
            answer = await admin.request("POST", "/admin/users", json=wanted)
            assert (answer.status_code, answer.json()["code"]) == (status, code), wanted


class TestChange:
    async def test_the_profile_changes_and_the_person_sees_it_at_once(
        self, client: httpx2.AsyncClient, admin: SignedInPerson, ada: Account
    ) -> None:
        person = await sign_in(client)
        before = await person.who_am_i()

        answer = await admin.request("PATCH", f"/admin/users/{ada.id}", json={"full_name": "Ada King"})

        assert before.json()["full_name"] is None
        assert answer.json()["full_name"] == "Ada King"
        assert (await person.who_am_i()).json()["full_name"] == "Ada King"

    async def test_if_match_keeps_administrators_from_overwriting_each_other(
        self, admin: SignedInPerson, ada: Account
    ) -> None:
        path = f"/admin/users/{ada.id}"
        tag = (await admin.request("GET", path)).headers["etag"]
        unchanged = await admin.request("GET", path, headers={"If-None-Match": tag})
        first = await admin.request("PATCH", path, json={"full_name": "A"}, headers={"If-Match": tag})
        second = await admin.request("PATCH", path, json={"full_name": "B"}, headers={"If-Match": tag})
        third = await admin.request("DELETE", path, headers={"If-Match": tag})

        assert [each.status_code for each in (unchanged, first, second, third)] == [304, 200, 412, 412]
        assert first.headers["etag"] != tag
        assert (await admin.request("GET", path)).json()["full_name"] == "A"

    async def test_nobody_there(self, admin: SignedInPerson) -> None:
        nobody = f"/admin/users/{new_id()}"
        for method, path, body in (
            ("GET", "", None),
            ("PATCH", "", {"full_name": "x"}),
            ("DELETE", "", None),
            ("POST", "/activate", None),
            ("POST", "/deactivate", None),
            ("POST", "/restore", None),
            ("POST", "/unlock", None),
            ("GET", "/sessions", None),
            ("DELETE", "/sessions", None),
            ("DELETE", f"/sessions/{new_id()}", None),
            ("GET", "/roles", None),
            ("PUT", "/roles", {"roles": []}),
        ):
            answer = await admin.request(method, nobody + path, json=body)
            assert answer.status_code == 404, (method, path, answer.text)


class TestSwitch:
    @pytest.mark.bar("ASVS-7.4.2", "ASVS-7.4.5", "CVE-2025-65430", "CHECK-3")
    async def test_switching_off_ends_everything_and_on_lets_in_again(
        self, runtime: Runtime, client: httpx2.AsyncClient, admin: SignedInPerson, ada: Account
    ) -> None:
        person = await sign_in(client)
        assert (await person.who_am_i()).status_code == 200

        off = await admin.request("POST", f"/admin/users/{ada.id}/deactivate")
        dead = [(await person.who_am_i()).status_code, (await person.refresh()).status_code]
        refused = await log_in(client)
        on = await admin.request("POST", f"/admin/users/{ada.id}/activate")

        assert (off.json()["status"], on.json()["status"]) == ("deactivated", "active")
        assert dead == [401, 401]
        assert refused.status_code == 403
        assert (await log_in(client)).status_code == 200
        assert (await person.who_am_i()).status_code == 401
        actions = [entry.action for entry in await rows_of(runtime, AuditEntry)]
        assert {"user.deactivated", "user.activated", "session.revoked"} <= set(actions)

    async def test_a_deleted_person_can_be_restored_until_the_purge(
        self, client: httpx2.AsyncClient, admin: SignedInPerson, ada: Account
    ) -> None:
        person = await sign_in(client)
        path = f"/admin/users/{ada.id}"
        assert (await admin.request("DELETE", path)).status_code == 204
        assert (await person.who_am_i()).status_code == 401
        assert (await log_in(client)).status_code == 401

        restored = await admin.request("POST", f"{path}/restore")

        assert restored.status_code == 200
        assert (await log_in(client)).status_code == 200
        assert (await person.who_am_i()).status_code == 401

    @pytest.mark.bar("CHECK-14", "ASVS-6.3.1")
    async def test_unlocking_forgets_wrong_guesses(
        self, runtime: Runtime, client: httpx2.AsyncClient, admin: SignedInPerson, ada: Account
    ) -> None:
        for _ in range(11):
            await log_in(client, ADDRESS, "a wrong password")
        assert (await log_in(client)).status_code == 429

        answer = await admin.request("POST", f"/admin/users/{ada.id}/unlock")

        assert answer.status_code == 204
        assert await rows_of(runtime, GuessCounter) == []
        assert (await log_in(client)).status_code == 200


class TestSessions:
    @pytest.mark.bar("ASVS-7.4.5", "CVE-2025-29928")
    async def test_an_administrator_sees_and_ends_a_persons_sessions(
        self, runtime: Runtime, client: httpx2.AsyncClient, admin: SignedInPerson, ada: Account
    ) -> None:
        one, other = await sign_in(client), await sign_in(client)
        cookie = await sign_in_by_page(runtime)
        path = f"/admin/users/{ada.id}/sessions"
        found = (await admin.request("GET", path)).json()["data"]
        assert len(found) == 3
        assert not any(each["is_current"] for each in found)
        [oldest] = [each["id"] for each in sorted(found, key=lambda each: each["id"])[:1]]

        ended_one = await admin.request("DELETE", f"{path}/{oldest}")
        statuses = [(await one.who_am_i()).status_code, (await other.who_am_i()).status_code]
        ended_all = await admin.request("DELETE", path)

        assert (ended_one.status_code, statuses) == (204, [401, 200])
        assert ended_all.json() == {"ended": 2}
        assert (await other.who_am_i()).status_code == 401
        assert cookie
        assert all(row.ended_at for row in await rows_of(runtime, Session, Session.user_id == ada.id))
        assert (await admin.who_am_i()).status_code == 200

    @pytest.mark.bar("ASVS-8.2.2")
    async def test_a_session_is_ended_only_under_its_own_person(
        self, runtime: Runtime, client: httpx2.AsyncClient, admin: SignedInPerson, root: Account, ada: Account
    ) -> None:
        person = await sign_in(client)
        [row] = await rows_of(runtime, Session, Session.user_id == ada.id)

        answer = await admin.request("DELETE", f"/admin/users/{root.id}/sessions/{row.id}")

        assert answer.status_code == 404
        assert (await person.who_am_i()).status_code == 200
