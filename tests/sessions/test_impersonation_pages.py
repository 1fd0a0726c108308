"""Acting in another's name at the pages: there and back again, and what is no way to it."""

from datetime import timedelta

import httpx2
import pytest

from portico.http.access import PersonNeeded
from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from portico.http.csrf import token_for
from portico.runtime import Runtime
from portico.sessions.services import Impersonations
from portico.testing.clock import FrozenClock
from portico.tokens.services import OneTimeTokens
from portico.tokens.types import TokenPurpose
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
    by_cookie,
    sign_in,
    sign_in_by_page,
)

pytestmark = pytest.mark.anyio

ONE_DATABASE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


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
