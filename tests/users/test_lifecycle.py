"""Accounts: changed, switched off, deleted, restored, erased, exported."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portico.access.errors import LastSuperuser
from portico.access.services import Grants
from portico.access.types import PlatformRole
from portico.audit.models import AuditEntry, AuditPersonal
from portico.core.context import RequestContext, set_current_request
from portico.core.ids import PrincipalId
from portico.credentials.models import GuessCounter, PasswordCredential
from portico.credentials.services import seed_people
from portico.db.errors import EditConflict
from portico.mail.models import MailMessage
from portico.messaging import Event, EventBus, Jobs
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.jobs import do_job, run_due_jobs
from portico.testing.mail import CapturedMails
from portico.users.errors import EmailTaken, ProfileInvalid, UsernameMalformed, UsernameTaken, UserNotFound
from portico.users.events import (
    UserActivated,
    UserDeactivated,
    UserDeleted,
    UserErased,
    UserRestored,
    UserUpdated,
)
from portico.users.jobs import purge_deleted_users
from portico.users.models import EmailAddress, User
from portico.users.services import PersonalDataExport, ProfileChanges, Users
from tests.credentials.acts import ADA, account_of, count, register, trail, under
from tests.credentials.test_guessing import guess

pytestmark = pytest.mark.anyio


BAD_CHANGES: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"locale": "tlh"}, ProfileInvalid),
    ({"timezone": "Mars/Olympus"}, ProfileInvalid),
    ({"timezone": "../../etc/passwd"}, ProfileInvalid),
    ({"timezone": "Europe"}, ProfileInvalid),
    ({"full_name": "Ada\x00"}, ProfileInvalid),
    ({"full_name": "Ada\r\nBcc: eve"}, ProfileInvalid),
    ({"full_name": "\u202eadA"}, ProfileInvalid),
    ({"full_name": "a" * 201}, ProfileInvalid),
    ({"username": "a@b"}, UsernameMalformed),
    ({"username": "admin"}, UsernameTaken),
    ({"username": "Portico"}, UsernameTaken),
]


@pytest.fixture
def heard(runtime: Runtime) -> list[Event]:
    """Return the events about people, in order."""
    events: list[Event] = []

    async def note(event: Event, unit: Any, runtime: Runtime) -> None:
        events.append(event)

    for kind in (UserUpdated, UserDeactivated, UserActivated, UserDeleted, UserRestored, UserErased):
        runtime.get(EventBus)._handlers.setdefault(kind, []).append(note)
    return events


def users(runtime: Runtime) -> Users:
    return Users(runtime, runtime.unit())


class TestProfile:
    async def test_what_was_sent_changes_and_is_announced(self, runtime: Runtime, heard: list[Any]) -> None:
        before = await register(runtime)

        after = await users(runtime).update_profile(
            before.id, ProfileChanges(full_name=" Ada  Lovelace ", username="Ada", timezone="Europe/London")
        )

        assert (after.full_name, after.username, after.timezone) == ("Ada Lovelace", "Ada", "Europe/London")
        assert after.locale == before.locale
        assert after.version == before.version + 1
        assert heard[-1].fields == ("full_name", "timezone", "username")

    async def test_nothing_new_changes_nothing(self, runtime: Runtime, heard: list[Any]) -> None:
        before = await register(runtime)

        after = await users(runtime).update_profile(before.id, ProfileChanges(full_name=None, locale="en"))

        assert after == before
        assert heard == []

    async def test_null_clears(self, runtime: Runtime) -> None:
        before = await register(runtime, username="ada", full_name="Ada")

        changes = ProfileChanges(username=None, full_name=None, timezone=None, locale=None)
        after = await users(runtime).update_profile(before.id, changes)

        assert (after.username, after.full_name, after.timezone, after.locale) == (None, None, "UTC", "en")

    async def test_what_is_not_valid_is_refused(self, runtime: Runtime, subtests: pytest.Subtests) -> None:
        before = await register(runtime)

        for changes, error in BAD_CHANGES:
            with subtests.test(changes=ascii(changes)[:60]), pytest.raises(error):
                await users(runtime).update_profile(before.id, ProfileChanges.of(changes))

        assert await account_of(runtime) == before

    async def test_a_username_in_use_is_refused(self, runtime: Runtime) -> None:
        await register(runtime, username="ada")
        eve = await register(runtime, "eve@example.com")

        with pytest.raises(UsernameTaken):
            await users(runtime).update_profile(eve.id, ProfileChanges(username="ADA"))

    async def test_two_who_change_at_once_lose_nothing(self, runtime: Runtime) -> None:
        account = await register(runtime)
        changes = [ProfileChanges(full_name=f"Ada {n}") for n in range(5)]

        results = await asyncio.gather(
            *(users(runtime).update_profile(account.id, change) for change in changes), return_exceptions=True
        )

        done = [result for result in results if not isinstance(result, EditConflict)]
        assert (await account_of(runtime)).version == account.version + len(done)

    async def test_roles_raise_the_version(self, runtime: Runtime) -> None:
        before = await register(runtime)
        await Grants(runtime, runtime.unit()).grant_role(PrincipalId(before.id), PlatformRole.SUPERUSER)

        after = await account_of(runtime)

        assert after.roles == (PlatformRole.SUPERUSER,)
        assert after.version == before.version + 1


class TestSwitch:
    async def test_off_and_on(self, runtime: Runtime, heard: list[Any]) -> None:
        account = await register(runtime)
        await users(runtime).deactivate_user(account.id)
        await users(runtime).deactivate_user(account.id)
        assert not (await account_of(runtime)).is_active

        await users(runtime).activate_user(account.id)

        assert (await account_of(runtime)).is_active
        assert [type(event) for event in heard] == [UserDeactivated, UserActivated]

    async def test_the_last_superuser_stays(self, runtime: Runtime) -> None:
        account = await register(runtime)
        await Grants(runtime, runtime.unit()).grant_role(PrincipalId(account.id), PlatformRole.SUPERUSER)

        with pytest.raises(LastSuperuser):
            await users(runtime).deactivate_user(account.id)
        with pytest.raises(LastSuperuser):
            await users(runtime).delete_account(account.id)
        assert (await account_of(runtime)).is_active

    async def test_a_superuser_who_is_switched_off_counts_for_nobody(self, runtime: Runtime) -> None:
        account, other = await register(runtime), await register(runtime, "root@example.com")
        for person in (account, other):
            await Grants(runtime, runtime.unit()).grant_role(PrincipalId(person.id), PlatformRole.SUPERUSER)
        await users(runtime).deactivate_user(other.id)

        with pytest.raises(LastSuperuser):
            await users(runtime).deactivate_user(account.id)
        await users(runtime).activate_user(other.id)
        await users(runtime).deactivate_user(account.id)

    async def test_two_superusers_who_switch_each_other_off_leave_one(self, runtime: Runtime) -> None:
        pair = [await register(runtime), await register(runtime, "root@example.com")]
        for person in pair:
            await Grants(runtime, runtime.unit()).grant_role(PrincipalId(person.id), PlatformRole.SUPERUSER)

        outcomes = await asyncio.gather(
            *(users(runtime).deactivate_user(person.id) for person in pair), return_exceptions=True
        )

        assert [type(outcome) for outcome in outcomes].count(LastSuperuser) == 1


class TestDeletion:
    async def test_frees_address_and_name_at_once(
        self, runtime: Runtime, mails: CapturedMails, heard: list[Any]
    ) -> None:
        account = await register(runtime, username="ada")

        await users(runtime).delete_account(account.id)

        assert [type(event) for event in heard] == [UserDeleted]
        assert "deleted" in mails.last(to=ADA).subject
        assert await users(runtime).find_user(account.id) is None
        assert await users(runtime).find_by_identifier("ada") is None
        again = await register(runtime, username="ada")
        assert again.id != account.id
        with pytest.raises(UserNotFound):
            await users(runtime).delete_account(account.id)

    async def test_takes_roles_away(self, runtime: Runtime) -> None:
        account, other = await register(runtime), await register(runtime, "root@example.com")
        for person in (account, other):
            await Grants(runtime, runtime.unit()).grant_role(PrincipalId(person.id), PlatformRole.SUPERUSER)

        await users(runtime).delete_account(account.id)
        await users(runtime).restore_user(account.id)

        assert (await account_of(runtime)).roles == ()

    async def test_can_be_taken_back_within_the_grace(self, runtime: Runtime, clock: FrozenClock) -> None:
        account = await register(runtime, username="ada", full_name="Ada")
        await users(runtime).delete_account(account.id)
        clock.advance(timedelta(days=29))
        await do_job(runtime, purge_deleted_users)

        await users(runtime).restore_user(account.id)

        back = await account_of(runtime)
        assert (back.id, back.username, back.full_name) == (account.id, "ada", "Ada")

    async def test_is_final_where_somebody_has_the_address_by_now(self, runtime: Runtime) -> None:
        account = await register(runtime)
        await users(runtime).delete_account(account.id)
        await register(runtime)

        with pytest.raises(EmailTaken):
            await users(runtime).restore_user(account.id)


class TestErasure:
    @pytest.mark.bar("ASVS-14.2.7")
    async def test_after_the_grace_nothing_names_the_person(
        self, runtime: Runtime, clock: FrozenClock, mails: CapturedMails, heard: list[Any]
    ) -> None:
        set_current_request(
            RequestContext(request_id="r1", client_address="203.0.113.7", user_agent="A browser")
        )
        account = await register(runtime, username="ada", full_name="Ada Lovelace")
        await guess(runtime)
        places = (
            select(AuditPersonal)
            .join(AuditEntry, AuditEntry.id == AuditPersonal.entry_id)
            .where(AuditEntry.subject_id == account.id)
        )
        async with runtime.reads() as session:
            assert len((await session.scalars(places)).all()) > 0
        await users(runtime).delete_account(account.id)
        clock.advance(timedelta(days=30))

        set_current_request(RequestContext(request_id="-"))
        await do_job(runtime, purge_deleted_users)

        assert isinstance(heard[-1], UserErased)
        for model in (EmailAddress, PasswordCredential, GuessCounter, MailMessage):
            assert await count(runtime, model) == 0
        async with runtime.reads() as session:
            row = await session.get(User, account.id)
        assert row is not None
        assert (row.username, row.username_key, row.full_name, row.timezone) == (None, None, None, "UTC")
        assert row.erased_at == clock.now()
        async with runtime.reads() as session:
            assert (await session.scalars(places)).all() == []
        assert "user.erased" in [action for action, _, _ in await trail(runtime)]
        with pytest.raises(UserNotFound):
            await users(runtime).restore_user(account.id)

    async def test_a_second_purge_finds_nothing(self, runtime: Runtime, clock: FrozenClock) -> None:
        account = await register(runtime)
        await users(runtime).delete_account(account.id)
        clock.advance(timedelta(days=31))

        assert await users(runtime).purge_deleted() == 1
        assert await users(runtime).purge_deleted() == 0

    @under(users={"purge_batch": 2})
    async def test_goes_on_batch_by_batch(self, runtime: Runtime, clock: FrozenClock) -> None:
        for number in range(5):
            account = await register(runtime, f"p{number}@example.com")
            await users(runtime).delete_account(account.id)
        clock.advance(timedelta(days=31))

        await do_job(runtime, purge_deleted_users)

        assert await count(runtime, EmailAddress) == 0

    async def test_two_workers_erase_each_once(
        self, runtime: Runtime, clock: FrozenClock, heard: list[Any]
    ) -> None:
        for number in range(4):
            account = await register(runtime, f"p{number}@example.com")
            await users(runtime).delete_account(account.id)
        clock.advance(timedelta(days=31))

        async with runtime.unit() as unit:
            for _ in range(3):
                runtime.get(Jobs).enqueue(unit, purge_deleted_users)
        await asyncio.gather(*(run_due_jobs(runtime) for _ in range(3)))

        assert len([event for event in heard if isinstance(event, UserErased)]) == 4


async def test_export_holds_what_there_is_and_no_secret(runtime: Runtime) -> None:
    account = await register(runtime, username="ada", full_name="Ada")

    exported = await PersonalDataExport(runtime, runtime.unit()).export_data(account.id)

    assert exported["profile"]["full_name"] == "Ada"
    assert exported["email_addresses"][0]["address"] == ADA
    assert exported["credentials"]["password_changed_at"]
    assert "argon2" not in json.dumps(exported)
    assert ("user.data_exported", "success", None) in await trail(runtime)


async def test_seeding_goes_on_where_it_stopped(runtime: Runtime) -> None:
    progress: list[int] = []
    await seed_people(runtime, 5, password="velvet otter magnet")
    await seed_people(runtime, 12, progress=progress.append)

    assert await count(runtime, User) == 12
    assert await count(runtime, PasswordCredential) == 5
    assert progress == [12]
    person = await users(runtime).find_by_identifier("person12")
    assert person is not None
    assert person.email == "person12@seed.example"
