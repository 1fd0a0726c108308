"""Acting in another's name: who may, what it gives, and what stays out of reach."""

import re
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from portico.access.roles import RoleBook
from portico.access.services import Grants
from portico.access.types import PlatformRole
from portico.http.routing import route_table
from portico.runtime import Runtime
from portico.sessions.errors import SessionEnded
from portico.sessions.models import Session
from portico.sessions.services import AccessTokens, live_session
from portico.testing.clock import FrozenClock
from portico.users.services import Users
from portico.users.types import Account
from tests.sessions.impersonators import (
    GRACE,
    add_support,
    ask,
    claims_of,
    entries,
    impersonate,
)
from tests.sessions.people import (
    ADDRESS,
    API,
    add_person,
    rows_of,
    sign_in,
)

pytestmark = pytest.mark.anyio

ONE_DATABASE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


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
