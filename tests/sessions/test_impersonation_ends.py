"""How long somebody acts in another's name, and that the person's own sessions go on beside it."""

from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import update

from portico.runtime import Runtime
from portico.sessions.jobs import end_expired_impersonations
from portico.sessions.models import Session
from portico.sessions.services import Sessions
from portico.sessions.settings import SessionsSettings
from portico.sessions.types import SessionEnd, SessionLimitPolicy
from portico.testing.clock import FrozenClock
from portico.testing.jobs import do_job
from portico.testing.mail import CapturedMails
from portico.tokens.models import TokenFamily
from portico.users.types import Account
from tests.sessions.impersonators import (
    claims_of,
    entries,
    impersonate,
)
from tests.sessions.people import (
    ADDRESS,
    API,
    log_in,
    refresh,
    rows_of,
    sign_in,
)

pytestmark = pytest.mark.anyio

ONE_DATABASE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


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
