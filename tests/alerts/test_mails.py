"""Who is mailed about an alert, when, in which words, and how often."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from portico.access.services import Grants
from portico.access.types import PlatformRole
from portico.alerts.models import AlertMailbox
from portico.mail.captured import CapturedMail
from portico.runtime import Runtime
from portico.sessions.places import Places
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails
from portico.testing.organizations import TestOrganizations
from portico.users.services import ProfileChanges, Users
from portico.users.types import Account
from tests.alerts.conftest import Follow, refuse_password, write
from tests.alerts.test_rules import Atlas, enter_from
from tests.sessions.people import ADDRESS, add_person, rows_of

pytestmark = pytest.mark.anyio


async def administrator(runtime: Runtime, address: str) -> Account:
    account = await add_person(runtime, address)
    async with (unit := runtime.unit()):
        await Grants(runtime, unit).grant_role(account.id, PlatformRole.SUPERUSER)
    return account


async def attack(runtime: Runtime, user_id: UUID) -> None:
    for _ in range(10):
        await refuse_password(runtime, user_id)


async def trip(runtime: Runtime, count: int = 1) -> None:
    for _ in range(count):
        await write(runtime, "api_key.honeytoken_used", subject=("api_key", uuid4()))


def told(mails: CapturedMails) -> list[tuple[str, str]]:
    return sorted((mail.to, mail.subject) for mail in mails)


def last(mails: CapturedMails) -> CapturedMail:
    return mails[-1]


@pytest.mark.bar("ASVS-6.3.5", "T4")
async def test_person_is_told_of_his_account(runtime: Runtime, mails: CapturedMails, follow: Follow) -> None:
    ada = await add_person(runtime, ADDRESS)
    await attack(runtime, ada.id)
    await follow()

    assert told(mails) == [(ADDRESS, "Portico: Many failed sign-ins")]
    assert "http://localhost:8000/account/security" in last(mails).links
    assert "http://localhost:8000/account/password" in last(mails).links
    assert "192.0.2.1" not in last(mails).text


async def test_person_is_told_in_his_language(runtime: Runtime, mails: CapturedMails, follow: Follow) -> None:
    ada = await add_person(runtime, ADDRESS)
    await Users(runtime, runtime.unit()).update_profile(ada.id, ProfileChanges(locale="de"))
    await attack(runtime, ada.id)
    await follow()

    assert told(mails) == [(ADDRESS, "Portico: Viele fehlgeschlagene Anmeldungen")]
    assert "Jemand hat für das Konto viele falsche Passwörter eingegeben." in last(mails).text


async def test_administrators_are_told_of_the_platform(
    runtime: Runtime, mails: CapturedMails, clock: FrozenClock, follow: Follow
) -> None:
    await administrator(runtime, "grace@example.org")
    await follow()
    alone = told(mails)
    await administrator(runtime, "linus@example.org")
    await add_person(runtime, "ada@example.org")
    await follow()
    rise = told(mails)
    clock.advance(timedelta(hours=1))
    await trip(runtime)
    await follow()

    assert (alone, rise) == ([], [("grace@example.org", "Portico: Somebody was given more rights")])
    assert told(mails) == [
        ("grace@example.org", "Portico: A honeytoken was used"),
        *rise,
        ("linus@example.org", "Portico: A honeytoken was used"),
    ]


async def test_first_alert_is_mailed_at_once_and_what_follows_together(
    runtime: Runtime, mails: CapturedMails, clock: FrozenClock, follow: Follow
) -> None:
    await administrator(runtime, "grace@example.org")
    await follow()
    await trip(runtime)
    await follow()
    await trip(runtime, 14)
    await follow()
    clock.advance(timedelta(minutes=14))
    await follow()
    early = [subject for _, subject in told(mails)]
    clock.advance(timedelta(minutes=1))
    await follow()
    await follow()

    assert early == ["Portico: A honeytoken was used"]
    assert [subject for _, subject in told(mails)] == [
        "Portico: 14 security alerts",
        "Portico: A honeytoken was used",
    ]
    assert last(mails).text.count("A honeytoken was used") == 10
    assert "And 4 more." in last(mails).text


@pytest.mark.bar("T4")
async def test_flood_of_alerts_fills_one_row_a_reader(
    runtime: Runtime, mails: CapturedMails, follow: Follow
) -> None:
    await administrator(runtime, "grace@example.org")
    await trip(runtime, 60)
    await follow()
    await trip(runtime, 60)
    await follow()
    boxes = await rows_of(runtime, AlertMailbox)

    assert [(box.waiting, len(box.alert_ids)) for box in boxes] == [(60, 10)]
    assert len(mails) == 1


async def test_owners_are_told_of_their_organization_and_not_of_their_own_rise(
    runtime: Runtime, mails: CapturedMails, follow: Follow, organizations: TestOrganizations
) -> None:
    await administrator(runtime, "grace@example.org")
    ada, bob = await add_person(runtime, "ada@example.org"), await add_person(runtime, "bob@example.org")
    acme = await organizations.make(ada)
    await organizations.join(acme, bob, "owner")
    await follow()

    assert told(mails) == [("ada@example.org", "Portico: Somebody was given more rights")]
    assert str(acme.id) in last(mails).text


@pytest.mark.bar("ASVS-6.3.5")
async def test_new_device_is_mailed_once_and_a_new_country_on_a_known_one_too(
    runtime: Runtime, mails: CapturedMails, clock: FrozenClock, follow: Follow
) -> None:
    await add_person(runtime, ADDRESS)
    runtime.provide(Places, Atlas())
    known = await enter_from(runtime, "192.0.2.1")
    clock.advance(timedelta(days=2))
    await enter_from(runtime, "198.51.100.1")
    await follow()
    first = told(mails)
    await enter_from(runtime, "203.0.113.1", known)
    await follow()

    assert first == [(ADDRESS, "New sign-in to Portico")]
    assert told(mails) == [*first, (ADDRESS, "Portico: Sign-in from a new country")]
    assert "France" in last(mails).text


async def test_nobody_is_left_waiting_where_the_person_is_gone(
    runtime: Runtime, mails: CapturedMails, follow: Follow
) -> None:
    ada = await add_person(runtime, ADDRESS)
    await attack(runtime, ada.id)
    await Users(runtime, runtime.unit()).deactivate_user(ada.id)
    await follow()
    boxes = await rows_of(runtime, AlertMailbox)

    assert told(mails) == []
    assert [(box.waiting, box.due_at) for box in boxes] == [(0, None)]
