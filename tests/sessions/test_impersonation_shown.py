"""What the person and the trail are told of somebody who acts in his name."""

from datetime import timedelta

import httpx2
import pytest

from portico.runtime import Runtime
from portico.sessions.jobs import sweep_outlived_sessions
from portico.sessions.personal_data import export_impersonations, export_sessions
from portico.sessions.settings import SessionsSettings
from portico.sessions.types import SessionEnd
from portico.testing.clock import FrozenClock
from portico.testing.jobs import do_job
from portico.testing.mail import CapturedMails
from portico.users.types import Account
from tests.sessions.impersonators import (
    REASON,
    entries,
    impersonate,
)
from tests.sessions.people import (
    ADDRESS,
    API,
    sign_in,
)

pytestmark = pytest.mark.anyio

ONE_DATABASE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


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
