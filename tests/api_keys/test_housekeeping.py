"""What the clock does with keys: reminders, ends, forgetting; and what is told and erased of a person."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from portico.api_keys.models import ApiKey
from portico.api_keys.services import expire_keys, remind_of_ends, sweep_dead_keys
from portico.audit.models import AuditEntry
from portico.messaging.models import OutboxRecord
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails
from portico.users.services import Users
from tests.api_keys.conftest import House, code_of

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


async def count(runtime: Runtime) -> int:
    async with runtime.reads() as session:
        return int(await session.scalar(select(func.count()).select_from(ApiKey)) or 0)


async def told(runtime: Runtime, name: str) -> tuple[int, int]:
    """Return how many entries and events of this name there are."""
    async with runtime.reads() as session:
        entries = select(func.count()).select_from(AuditEntry).where(AuditEntry.action == name)
        events = select(func.count()).select_from(OutboxRecord).where(OutboxRecord.name == name)
        return int(await session.scalar(entries) or 0), int(await session.scalar(events) or 0)


@pytest.mark.bar("ASVS-6.4.5")
async def test_the_person_is_reminded_twice_before_a_key_ends(
    house: House, runtime: Runtime, clock: FrozenClock, mails: CapturedMails
) -> None:
    await house.make("ada", name="build server")
    mails.clear()

    sent = {}
    for day in range(92):
        sent[day] = await remind_of_ends(runtime) + await remind_of_ends(runtime)
        clock.advance(DAY)

    assert {day for day, mail in sent.items() if mail} == {76, 87}
    assert [("ends soon" in mail.subject, "build server" in mail.text) for mail in mails] == [
        (True, True)
    ] * 2


async def test_a_key_that_is_over_or_replaced_or_short_is_not_reminded_of(
    house: House, runtime: Runtime, clock: FrozenClock, mails: CapturedMails
) -> None:
    revoked, rotated = await house.make("ada"), await house.make("ada")
    await house.by("ada", "DELETE", f"/api-keys/{revoked['id']}")
    await house.make("ada", expires_at=(clock.now() + 2 * DAY).isoformat())
    clock.advance(timedelta(minutes=1))
    new = await house.by("ada", "POST", f"/api-keys/{rotated['id']}/rotate", {"overlap_hours": 1})
    await house.by("ada", "DELETE", f"/api-keys/{new.json()['id']}")
    mails.clear()

    clock.advance(80 * DAY)

    assert await remind_of_ends(runtime) == 0
    assert len(mails) == 0


async def test_owners_and_maker_are_reminded_of_an_organizations_key(
    house: House, runtime: Runtime, clock: FrozenClock, mails: CapturedMails
) -> None:
    ours = await house.organization(ada="admin", bob="owner")
    await house.make("ada", f"/organizations/{ours}/api-keys", scopes=["organization:member:read"])
    mails.clear()
    clock.advance(80 * DAY)
    await remind_of_ends(runtime)

    assert sorted(address for mail in mails for address in [mail.to]) == [
        "ada@example.org",
        "bob@example.org",
    ]


async def test_the_end_of_a_key_is_put_on_the_trail_once(
    house: House, runtime: Runtime, clock: FrozenClock
) -> None:
    made, rotated = await house.make("ada"), await house.make("ada")
    await house.by("ada", "POST", f"/api-keys/{rotated['id']}/rotate", {"overlap_hours": 1})
    clock.advance(timedelta(hours=2))
    overlapped = await expire_keys(runtime)
    clock.advance(90 * DAY)

    expired, again = await expire_keys(runtime), await expire_keys(runtime)

    assert (overlapped, expired, again) == (1, 2, 0)
    assert await told(runtime, "api_key.expired") == (2, 2)
    assert await told(runtime, "api_key.revoked") == (0, 0)
    assert code_of(await house.me(made["key"])) == (401, "api_key_expired")


async def test_dead_keys_are_forgotten_after_a_while(
    house: House, runtime: Runtime, clock: FrozenClock
) -> None:
    made = await house.make("ada")
    await house.make("ada", expires_at=(clock.now() + 300 * DAY).isoformat())
    await house.by("ada", "DELETE", f"/api-keys/{made['id']}")
    clock.advance(89 * DAY)
    await sweep_dead_keys(runtime)
    kept = await count(runtime)
    clock.advance(2 * DAY)

    await sweep_dead_keys(runtime)

    assert (kept, await count(runtime)) == (2, 1)


async def test_a_person_takes_his_keys_along_and_leaves_none(
    house: House, runtime: Runtime, clock: FrozenClock
) -> None:
    made = await house.make("ada", name="build server")
    export = (await house.by("ada", "GET", "/users/me/export")).json()
    await Users(runtime, runtime.unit()).delete_account(house.people["ada"].id)
    clock.advance(400 * DAY)
    await Users(runtime, runtime.unit()).purge_deleted()

    assert "build server" in str(export["api_keys"])
    assert made["key"] not in str(export)
    assert await count(runtime) == 0


async def test_every_act_is_on_the_trail_and_told(house: House, runtime: Runtime) -> None:
    made = await house.make("ada")
    await house.by("ada", "PATCH", f"/api-keys/{made['id']}", {"name": "new"})
    await house.by("ada", "POST", f"/api-keys/{made['id']}/rotate")
    await house.by("ada", "DELETE", f"/api-keys/{made['id']}")

    assert await told(runtime, "api_key.created") == (2, 2)
    assert await told(runtime, "api_key.updated") == (1, 0)
    assert await told(runtime, "api_key.rotated") == (1, 1)
    assert await told(runtime, "api_key.revoked") == (1, 1)
