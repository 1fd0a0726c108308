"""Acting in another's name: who may, what it gives, what stays out of reach, and what the person sees of it."""

import json
import re
from base64 import urlsafe_b64decode
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from portico.access.roles import RoleBook
from portico.access.services import Grants
from portico.access.types import PlatformRole
from portico.audit.models import AuditEntry
from portico.http.access import PersonNeeded
from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from portico.http.csrf import token_for
from portico.http.routing import route_table
from portico.runtime import Runtime
from portico.sessions.errors import SessionEnded
from portico.sessions.jobs import end_expired_impersonations, sweep_outlived_sessions
from portico.sessions.models import Session
from portico.sessions.personal_data import export_impersonations, export_sessions
from portico.sessions.services import AccessTokens, Impersonations, Sessions, live_session
from portico.sessions.settings import SessionsSettings
from portico.sessions.types import SessionEnd, SessionLimitPolicy
from portico.testing.clock import FrozenClock
from portico.testing.jobs import do_job
from portico.testing.mail import CapturedMails
from portico.tokens.models import TokenFamily
from portico.tokens.services import OneTimeTokens
from portico.tokens.types import TokenPurpose
from portico.users.services import Users
from portico.users.types import Account
from tests.sessions.impersonators import (
    GRACE,
    REASON,
    add_support,
    ask,
    impersonate,
    impersonate_at_pages,
)
from tests.sessions.people import (
    ADDRESS,
    API,
    PAGE_COOKIE,
    add_person,
    by_cookie,
    log_in,
    refresh,
    rows_of,
    sign_in,
    sign_in_by_page,
)

pytestmark = pytest.mark.anyio

ONE_DATABASE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says, without verifying it."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


async def entries(runtime: Runtime, action: str) -> list[AuditEntry]:
    return list(await rows_of(runtime, AuditEntry, AuditEntry.action == action))


async def test_support_sees_what_the_person_sees(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    actor = await impersonate(runtime, client, ada)

    profile = (await actor.as_person.who_am_i()).json()

    assert (profile["id"], profile["email"]) == (str(ada.id), ADDRESS)
    assert (await actor.own.who_am_i()).json()["email"] == GRACE


@pytest.mark.bar("ASVS-8.3.3")
async def test_the_token_names_both(runtime: Runtime, client: httpx2.AsyncClient, ada: Account) -> None:
    """RFC 8693, section 4.1: `sub` is the person, `act` who acts."""
    actor = await impersonate(runtime, client, ada)

    claims = claims_of(actor.as_person.access_token)
    own = claims_of(actor.own.access_token)

    assert claims["sub"] == str(ada.id)
    assert claims["act"] == {"sub": str(actor.account.id)}
    assert claims["sid"] == actor.session_id
    assert (claims["auth_time"], claims["amr"]) == (own["auth_time"], own["amr"])
    assert "act" not in own


@pytest.mark.bar("ASVS-8.3.3")
async def test_rights_are_the_persons_and_not_the_actors(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    actor = await impersonate(runtime, client, ada)
    assert (await actor.own.request("GET", "/admin/users")).status_code == 200

    assert (await actor.as_person.request("GET", "/admin/users")).status_code == 403


class TestWhoMay:
    """A permission, a fresh sign-in, a reason; nobody with more rights, nobody who is not there."""

    async def test_a_person_without_the_permission_may_not(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        await add_person(runtime, "bob@example.org")
        bob = await sign_in(client, "bob@example.org")

        answer = await ask(bob, ada)

        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")

    @pytest.mark.bar("CHECK-11")
    async def test_a_sign_in_of_eleven_minutes_ago_is_not_enough(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account, clock: FrozenClock
    ) -> None:
        await add_support(runtime)
        grace = await sign_in(client, GRACE)
        clock.advance(timedelta(minutes=11))

        answer = await ask(grace, ada)
        again = await ask(await sign_in(client, GRACE), ada)

        assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")
        assert again.status_code == 201

    @pytest.mark.parametrize(
        "reason", ["", "   ", "x" * 201, "two\nlines", "turned \u202e around", None], ids=repr
    )
    @ONE_DATABASE
    async def test_a_reason_is_one_line_of_text(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account, reason: str | None
    ) -> None:
        await add_support(runtime)
        grace = await sign_in(client, GRACE)

        assert (await ask(grace, ada, reason=reason)).status_code == 422
        assert await rows_of(runtime, Session, Session.actor_id.is_not(None)) == []

    @pytest.mark.bar("CVE-2026-9795")
    @pytest.mark.parametrize("role", [PlatformRole.SUPERUSER, PlatformRole.AUDITOR])
    async def test_nobody_with_more_rights(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account, role: PlatformRole
    ) -> None:
        await add_support(runtime)
        await Grants(runtime, runtime.unit()).grant_role(ada.id, role)
        grace = await sign_in(client, GRACE)

        answer = await ask(grace, ada)

        assert (answer.status_code, answer.json()["code"]) == (403, "rights_not_held")
        [entry] = await entries(runtime, "impersonation.refused")
        me = (await grace.who_am_i()).json()["id"]
        assert (str(entry.actor_id), entry.subject_id, entry.reason) == (me, ada.id, "rights_not_held")

    async def test_equals_and_those_with_less_may_be_helped(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        await add_support(runtime, PlatformRole.SUPERUSER)
        grace = await sign_in(client, GRACE)
        for role in (PlatformRole.SUPPORT, PlatformRole.SUPERUSER):
            await Grants(runtime, runtime.unit()).grant_role(ada.id, role)

            assert (await ask(grace, ada)).status_code == 201

    async def test_not_oneself(self, runtime: Runtime, client: httpx2.AsyncClient) -> None:
        account = await add_support(runtime)
        grace = await sign_in(client, GRACE)

        answer = await ask(grace, account)

        assert (answer.status_code, answer.json()["code"]) == (409, "own_account")

    async def test_nobody_who_is_switched_off_or_gone(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        await add_support(runtime)
        grace = await sign_in(client, GRACE)

        await Users(runtime, runtime.unit()).deactivate_user(ada.id)
        off = await ask(grace, ada)
        await Users(runtime, runtime.unit()).delete_account(ada.id)
        gone = await ask(grace, ada)

        assert (off.status_code, off.json()["code"]) == (409, "person_inactive")
        assert (gone.status_code, gone.json()["code"]) == (404, "user_not_found")

    async def test_not_while_acting_in_another_name(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        """Also where the person could do it himself."""
        bob = await add_person(runtime, "bob@example.org")
        await Grants(runtime, runtime.unit()).grant_role(ada.id, PlatformRole.SUPPORT)
        actor = await impersonate(runtime, client, ada)

        answer = await ask(actor.as_person, bob)

        assert (answer.status_code, answer.json()["code"]) == (403, "person_needed")

    @ONE_DATABASE
    async def test_a_request_may_not_choose_the_session(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        await add_support(runtime)
        grace = await sign_in(client, GRACE)

        assert (await ask(grace, ada, session_id="x", actor_id=str(ada.id))).status_code == 422


@pytest.mark.bar("CVE-2023-0264", "CHECK-3")
async def test_a_token_is_good_for_its_own_session_person_and_actor_only(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    """A genuine signature over the session of one and the names of others lets nobody in."""
    actor = await impersonate(runtime, client, ada)
    ada_herself = await sign_in(client)
    mine, theirs = [
        await live_session(runtime, UUID(claims_of(token)["sid"]))
        for token in (actor.as_person.access_token, ada_herself.access_token)
    ]
    tokens = runtime.get(AccessTokens)
    mixtures = [
        replace(mine, actor_id=None),
        replace(mine, actor_id=ada.id),
        replace(mine, user_id=actor.account.id),
        replace(theirs, actor_id=actor.account.id),
        replace(theirs, id=mine.id),
        replace(mine, id=theirs.id),
    ]

    assert (await actor.as_person.who_am_i()).status_code == 200
    for mixture in mixtures:
        with pytest.raises(SessionEnded):
            await tokens.verify(tokens.mint(mixture).value)


@pytest.mark.bar("CHECK-11")
async def test_whatever_asks_for_the_person_himself_is_refused(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account, app: FastAPI
) -> None:
    """Every route of the table that needs an interactive permission, found by the table itself."""
    await Grants(runtime, runtime.unit()).grant_role(ada.id, PlatformRole.SUPERUSER)
    await add_support(runtime, PlatformRole.SUPERUSER)
    answer = await ask(await sign_in(client, GRACE), ada)
    headers = {
        "Authorization": f"Bearer {answer.json()['access_token']}",
        "Accept": "application/json",
    }
    permissions = runtime.get(RoleBook).permissions
    asked = {
        (row.method, row.path)
        for row in route_table(app)
        for name in row.access
        if name in permissions and permissions[name].is_interactive
    }
    assert len(asked) >= 14

    wrong = {}
    for method, path in sorted(asked):
        url = re.sub(r"{\w+}", str(ada.id), path)
        refused = await client.request(method, url, headers=headers, json={})
        if (refused.status_code, refused.json().get("code")) != (403, "person_needed"):
            wrong[method, path] = (refused.status_code, refused.text[:80])
    assert wrong == {}
    assert {
        ("POST", f"{API}/auth/password/change"),
        ("POST", f"{API}/auth/email/change"),
        ("POST", f"{API}/auth/logout-all"),
        ("DELETE", f"{API}/auth/sessions/{{session_id}}"),
        ("DELETE", f"{API}/users/me"),
        ("GET", f"{API}/users/me/export"),
        ("POST", f"{API}/admin/users/{{user_id}}/impersonate"),
        ("POST", "/account/password"),
        ("POST", "/account/email"),
        ("POST", "/account/email/resend"),
        ("POST", "/account/devices/end"),
        ("POST", "/account/devices/end-others"),
        ("POST", "/account/data/delete"),
        ("POST", "/account/data/export"),
    } <= asked


class TestHowLong:
    """Half an hour at most, whatever is refreshed."""

    @pytest.mark.bar("ASVS-7.3.2")
    async def test_it_is_over_after_half_an_hour(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account, clock: FrozenClock
    ) -> None:
        actor = await impersonate(runtime, client, ada)
        token, person = actor.as_person.refresh_token, actor.as_person
        clock.advance(timedelta(minutes=14))
        token = (await refresh(client, token)).json()["refresh_token"]
        clock.advance(timedelta(minutes=14))
        answer = await refresh(client, token)
        assert answer.status_code == 200, answer.text
        token = answer.json()["refresh_token"]
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert claims_of(answer.json()["access_token"])["act"] == {"sub": str(actor.account.id)}
        assert answer.json()["expires_in"] == 120
        assert (await client.get(f"{API}/users/me", headers=headers)).status_code == 200

        clock.advance(timedelta(minutes=2))

        assert (await client.get(f"{API}/users/me", headers=headers)).status_code == 401
        assert (await refresh(client, token)).status_code == 401
        assert (await person.who_am_i()).status_code == 401
        [family] = [
            row for row in await rows_of(runtime, TokenFamily) if str(row.session_id) == actor.session_id
        ]
        assert family.absolute_expires_at - family.created_at == timedelta(minutes=30)

    async def test_that_it_is_over_stands_on_the_trail(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account, clock: FrozenClock
    ) -> None:
        actor = await impersonate(runtime, client, ada)
        clock.advance(timedelta(minutes=29))
        await do_job(runtime, end_expired_impersonations)
        assert await entries(runtime, "impersonation.ended") == []

        clock.advance(timedelta(minutes=1))
        await do_job(runtime, end_expired_impersonations)

        [entry] = await entries(runtime, "impersonation.ended")
        assert (str(entry.session_id), entry.subject_id, entry.reason) == (
            actor.session_id,
            ada.id,
            SessionEnd.EXPIRED,
        )

    @ONE_DATABASE
    async def test_what_is_believed_ends_when_the_actors_own_session_rests_too_long(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account, clock: FrozenClock
    ) -> None:
        """An expiry is no revocation: nobody tells the memory of it."""
        actor = await impersonate(runtime, client, ada)
        [own] = [row for row in await rows_of(runtime, Session) if row.actor_id is None]
        async with runtime.unit() as unit:
            await unit.session.execute(
                update(Session)
                .where(Session.id == own.id)
                .values(idle_expires_at=clock.now() + timedelta(minutes=3))
            )
        assert (await actor.as_person.who_am_i()).status_code == 200

        clock.advance(timedelta(minutes=3))

        assert (await actor.as_person.who_am_i()).status_code == 401


class TestThePersonsOwn:
    """It is no sign-in of the person: his sessions, his devices and his last use are untouched."""

    @pytest.fixture
    def settings_overrides(self, settings_overrides: dict[str, object]) -> dict[str, object]:
        return {**settings_overrides, "sessions": {"max_sessions_per_user": 1}}

    async def test_it_ends_no_session_of_the_persons_and_makes_no_room_for_one(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account, clock: FrozenClock
    ) -> None:
        """Of the one session that the limit allows, the person's own counts, though the other rested longer."""
        actor = await impersonate(runtime, client, ada)
        clock.advance(timedelta(minutes=1))
        person = await sign_in(client)
        assert (await actor.as_person.who_am_i()).status_code == 200
        assert (await person.who_am_i()).status_code == 200
        clock.advance(timedelta(minutes=1))

        again = await sign_in(client)

        assert (await again.who_am_i()).status_code == 200
        assert (await person.who_am_i()).status_code == 401
        assert (await actor.as_person.who_am_i()).status_code == 200

    async def test_it_keeps_the_person_from_no_sign_in(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        """Where the limit refuses one more session than it allows."""
        settings = runtime.section(SessionsSettings)
        object.__setattr__(settings, "on_limit", SessionLimitPolicy.REFUSE)
        await impersonate(runtime, client, ada)

        assert (await log_in(client)).status_code == 200
        assert (await log_in(client)).status_code == 409

    async def test_the_actors_device_is_not_known_to_the_person(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account, mails: CapturedMails
    ) -> None:
        """Else the actor could sign in with a password that he found, and nobody would be told."""
        await sign_in(client)
        client.headers["User-Agent"] = "Support/1.0"
        await impersonate(runtime, client, ada)
        assert [mail.subject for mail in mails.to(ADDRESS) if "sign-in" in mail.subject] == []
        row, *_ = await rows_of(runtime, Session, Session.actor_id.is_not(None))
        assert (row.user_agent, row.client_address, row.device_id) == (None, None, None)

        answer = await log_in(client)

        assert answer.status_code == 200
        assert len([mail for mail in mails.to(ADDRESS) if "sign-in" in mail.subject]) == 1

    async def test_the_persons_last_use_is_not_moved(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account, clock: FrozenClock
    ) -> None:
        before = clock.now()
        await sign_in(client)
        clock.advance(timedelta(hours=5))
        actor = await impersonate(runtime, client, ada)
        await actor.as_person.who_am_i()
        await Sessions(runtime, runtime.unit()).note_use()

        seen = (await actor.own.request("GET", f"/admin/users/{ada.id}")).json()["last_seen_at"]

        assert seen.startswith(before.isoformat()[:19])


class TestShownToThePerson:
    """Mail, devices, export; and the admin list."""

    async def test_a_mail_tells_why_and_until_when(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account, mails: CapturedMails
    ) -> None:
        await impersonate(runtime, client, ada)

        mail = mails.last(to=ADDRESS)
        assert "acting in your name" in mail.subject
        assert REASON in mail.text

    @pytest.mark.parametrize("notify", [False])
    async def test_the_mail_can_be_switched_off(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account, mails: CapturedMails, notify: bool
    ) -> None:
        object.__setattr__(runtime.section(SessionsSettings), "notify_impersonation", notify)

        await impersonate(runtime, client, ada)

        assert [mail for mail in mails.to(ADDRESS) if "acting" in mail.subject] == []

    async def test_the_list_of_devices_names_it_and_ends_it(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        actor = await impersonate(runtime, client, ada)
        person = await sign_in(client)

        listed = (await person.request("GET", "/auth/sessions")).json()["data"]
        [shown] = [each for each in listed if each["impersonated_by"]]
        assert (shown["id"], shown["impersonated_by"], shown["impersonation_reason"]) == (
            actor.session_id,
            str(actor.account.id),
            REASON,
        )
        assert (shown["client_address"], shown["place"]) == (None, None)
        [own] = [each for each in listed if not each["impersonated_by"]]
        assert own["impersonation_reason"] is None
        ended = await person.request("DELETE", f"/auth/sessions/{actor.session_id}")

        assert ended.status_code == 204
        assert (await actor.as_person.who_am_i()).status_code == 401
        assert (await actor.own.who_am_i()).status_code == 200
        [entry] = await entries(runtime, "impersonation.ended")
        assert (entry.actor_id, entry.on_behalf_of_id, entry.reason) == (ada.id, None, SessionEnd.REVOKED)

    async def test_administrators_see_it_too(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        actor = await impersonate(runtime, client, ada)

        answer = await actor.own.request("GET", f"/admin/users/{ada.id}/sessions")

        [shown] = answer.json()["data"]
        assert (shown["impersonated_by"], shown["impersonation_reason"]) == (str(actor.account.id), REASON)

    async def test_the_export_lists_it_for_half_a_year(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account, clock: FrozenClock
    ) -> None:
        actor = await impersonate(runtime, client, ada)
        await sign_in(client)

        async def exported() -> tuple[int, list[str]]:
            async with runtime.reads() as reader:
                listed = await export_impersonations(ada.id, reader)
                return len(await export_sessions(ada.id, reader)), [each["reason"] for each in listed]

        assert await exported() == (1, [REASON])
        clock.advance(timedelta(days=90))
        await do_job(runtime, sweep_outlived_sessions)
        assert await exported() == (0, [REASON])
        clock.advance(timedelta(days=120))
        await do_job(runtime, sweep_outlived_sessions)

        assert await exported() == (0, [])
        assert actor.session_id


class TestTrail:
    """Both identities, from the first entry to the last."""

    async def test_the_beginning_is_written_with_its_reason(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        actor = await impersonate(runtime, client, ada)

        [entry] = await entries(runtime, "impersonation.started")

        assert (entry.actor_id, entry.subject_id) == (actor.account.id, ada.id)
        assert str(entry.session_id) == actor.session_id

    async def test_acts_are_the_actors_on_behalf_of_the_person(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        actor = await impersonate(runtime, client, ada)

        answer = await actor.as_person.request("PATCH", "/users/me", json={"full_name": "Ada L."})

        assert answer.status_code == 200, answer.text
        [entry] = await entries(runtime, "user.updated")
        assert (entry.actor_id, entry.on_behalf_of_id, entry.subject_id) == (
            actor.account.id,
            ada.id,
            ada.id,
        )
        assert str(entry.session_id) == actor.session_id

    async def test_refusals_too(self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account) -> None:
        actor = await impersonate(runtime, client, ada)

        await actor.as_person.request("DELETE", "/users/me")

        [entry] = await entries(runtime, "permission.refused")
        assert (entry.actor_id, entry.on_behalf_of_id) == (actor.account.id, ada.id)

    @pytest.mark.parametrize("by", ["access token", "refresh token"])
    async def test_the_actor_signs_out_of_it(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account, by: str
    ) -> None:
        actor = await impersonate(runtime, client, ada)
        if by == "access token":
            answer = await actor.as_person.request("POST", "/auth/logout")
        else:
            body = {"refresh_token": actor.as_person.refresh_token}
            answer = await client.post(f"{API}/auth/logout", json=body)

        assert answer.status_code == 204
        assert (await actor.as_person.who_am_i()).status_code == 401
        assert (await actor.as_person.refresh()).status_code == 401
        assert (await actor.own.who_am_i()).status_code == 200
        [entry] = await entries(runtime, "impersonation.ended")
        assert (entry.actor_id, entry.subject_id, entry.reason) == (
            actor.account.id,
            ada.id,
            SessionEnd.LOGGED_OUT,
        )

    @ONE_DATABASE
    async def test_the_answers_kept_for_the_person_are_not_given_to_the_actor(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        person = await sign_in(client)
        actor = await impersonate(runtime, client, ada)
        key = {"Idempotency-Key": "the-persons-own-key"}
        body = {"full_name": "Ada L."}

        first = await person.request("PATCH", "/users/me", json=body, headers=key)
        again = await person.request("PATCH", "/users/me", json=body, headers=key)
        other = await actor.as_person.request("PATCH", "/users/me", json=body, headers=key)

        assert first.status_code == 200
        assert again.headers.get("idempotency-replayed") == "true"
        assert "idempotency-replayed" not in other.headers


class TestPages:
    """The cookie is another one on the way in and on the way out; a banner stands on every page between."""

    @pytest.mark.bar("CHECK-21", "ASVS-7.2.4")
    async def test_there_and_back_again(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        await add_support(runtime)
        own = await sign_in_by_page(runtime, GRACE)
        acting = await impersonate_at_pages(client, own, ada, token_for(runtime.secret, own))
        assert acting != own
        assert (await by_cookie(client, acting)).json()["email"] == ADDRESS
        assert (await by_cookie(client, own)).json()["email"] == GRACE

        client.cookies.clear()
        answer = await client.post(
            "/impersonation/end",
            data={"csrf_token": token_for(runtime.secret, acting)},
            headers={"Cookie": f"{PAGE_COOKIE}={acting}", "Origin": runtime.settings.public_url},
        )

        assert (answer.status_code, answer.headers["location"]) == (303, "/account")
        back = answer.cookies[PAGE_COOKIE]
        assert back not in {own, acting}
        assert (await by_cookie(client, back)).json()["email"] == GRACE
        assert (await by_cookie(client, own)).status_code == 401
        assert (await by_cookie(client, acting)).status_code == 401

    async def test_without_a_session_to_go_back_to_it_leads_to_sign_in(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        await add_support(runtime)
        grace = await sign_in(client, GRACE)
        answer = await ask(grace, ada, transport="page")
        acting = answer.cookies[PAGE_COOKIE]
        client.cookies.clear()

        left = await client.post(
            "/impersonation/end",
            data={"csrf_token": token_for(runtime.secret, acting)},
            headers={"Cookie": f"{PAGE_COOKIE}={acting}", "Origin": runtime.settings.public_url},
        )

        assert (left.status_code, left.headers["location"]) == (303, "/login")
        assert (await by_cookie(client, acting)).status_code == 401
        assert (await grace.who_am_i()).status_code == 200

    @pytest.mark.bar("CHECK-21")
    async def test_a_token_of_the_api_is_no_way_to_the_actors_browser(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        await add_support(runtime)
        own = await sign_in_by_page(runtime, GRACE)
        client.cookies.clear()
        answer = await client.post(
            f"{API}/admin/users/{ada.id}/impersonate",
            json={"reason": REASON},
            headers={
                "Cookie": f"{PAGE_COOKIE}={own}",
                "X-CSRF-Token": token_for(runtime.secret, own),
            },
        )
        client.cookies.clear()

        bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        left = await client.post("/impersonation/end", headers=bearer)

        assert left.headers["location"] == "/login"
        assert PAGE_COOKIE not in left.cookies
        assert (await by_cookie(client, own)).status_code == 200

    async def test_a_banner_says_who_acts_and_until_when(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account, clock: FrozenClock
    ) -> None:
        await add_support(runtime)
        own = await sign_in_by_page(runtime, GRACE)
        acting = await impersonate_at_pages(client, own, ada, token_for(runtime.secret, own))

        for path in ("/account", "/account/devices", "/account/data", "/verify", "/account/password"):
            page = await client.get(
                path, headers={"Cookie": f"{PAGE_COOKIE}={acting}", "Accept": "text/html"}
            )
            assert 'class="acting"' in page.text, path
            for said in (GRACE, "ada.lovelace", REASON, "/impersonation/end"):
                assert said in page.text, (path, said)
        page = await client.get("/account", headers={"Cookie": f"{PAGE_COOKIE}={own}"})
        assert 'class="acting"' not in page.text

    @ONE_DATABASE
    async def test_the_click_on_a_link_in_a_mail_is_the_persons(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        """Signed in as himself, the click proves his address; whoever acts in his name is asked for the password."""
        await add_support(runtime)
        own = await sign_in_by_page(runtime, GRACE)
        acting = await impersonate_at_pages(client, own, ada, token_for(runtime.secret, own))
        issued = await OneTimeTokens(runtime, runtime.unit()).issue(
            TokenPurpose.VERIFY_EMAIL, ada.id, ttl=timedelta(minutes=5), address=ada.email_normal_form
        )

        statuses = []
        for cookie in (acting, await sign_in_by_page(runtime)):
            client.cookies.clear()
            answer = await client.post(
                "/verify",
                data={"csrf_token": token_for(runtime.secret, cookie), "token": str(issued.secret)},
                headers={"Cookie": f"{PAGE_COOKIE}={cookie}", "Origin": runtime.settings.public_url},
            )
            statuses.append(answer.status_code)

        assert statuses == [422, 303]

    async def test_the_person_ends_it_at_his_devices(
        self, runtime: Runtime, client: httpx2.AsyncClient, ada: Account
    ) -> None:
        actor = await impersonate(runtime, client, ada)
        cookie = await sign_in_by_page(runtime)
        client.cookies.clear()
        headers = {"Cookie": f"{PAGE_COOKIE}={cookie}", "Origin": runtime.settings.public_url}

        shown = await client.get("/account/devices", headers=headers)
        form = {"csrf_token": token_for(runtime.secret, cookie), "session_id": actor.session_id}
        ended = await client.post("/account/devices/end", data=form, headers=headers)

        assert f"Support: {REASON}" in shown.text
        assert ended.status_code == 303
        assert (await actor.as_person.who_am_i()).status_code == 401


async def test_jobs_of_somebody_are_no_way_to_it(runtime: Runtime, ada: Account) -> None:
    """Who has no session of his own has nothing that could fall with him."""
    grace = await add_support(runtime)
    principal = Principal(
        id=grace.id, kind=PrincipalKind.USER, credential=CredentialKind.JOB, roles=frozenset({"support"})
    )

    with pytest.raises(PersonNeeded):
        await Impersonations(runtime, runtime.unit()).start(ada.id, actor=principal, reason=REASON)
