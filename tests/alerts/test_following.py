"""The follower raises each alert once, whatever dies when, and however many follow."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from portico.alerts.models import AlertFollower
from portico.alerts.repositories import FollowerRepository
from portico.alerts.services import Alerts, Following
from portico.audit.services.sequencing import Sequencer
from portico.core import failpoints
from portico.messaging.models import OutboxRecord
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails
from tests.alerts.conftest import Follow, alerts_of, counters_of, refuse_password, write
from tests.sessions.people import add_person

pytestmark = pytest.mark.anyio

PLACES = ("alerts.follow.after_advance", "alerts.follow.before_commit", "alerts.follow.after_commit")


async def refuse_many(runtime: Runtime, user_id: UUID, count: int) -> None:
    for _ in range(count):
        await refuse_password(runtime, user_id)


@pytest.mark.bar("T4")
async def test_threshold_when_it_is_reached_raises_one_alert_that_goes_on(
    runtime: Runtime, follow: Follow
) -> None:
    victim = uuid4()
    await refuse_many(runtime, victim, 9)
    await follow()
    before = await alerts_of(runtime)
    await refuse_many(runtime, victim, 4)
    await follow()
    await refuse_many(runtime, victim, 2)
    await follow()

    (alert,) = await alerts_of(runtime)
    assert before == []
    assert (alert.rule, alert.subject_id, alert.count) == ("failed_sign_ins", victim, 15)


async def test_entries_when_they_are_read_twice_change_nothing(runtime: Runtime, follow: Follow) -> None:
    await refuse_many(runtime, uuid4(), 12)
    await follow()
    (alert,) = await alerts_of(runtime)

    assert await Following(runtime).run() == 0
    assert [each.count for each in await alerts_of(runtime)] == [alert.count]


@pytest.mark.bar("T4")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("batch", [1, 4, 100])
async def test_follower_when_it_dies_at_any_place_neither_loses_nor_doubles(
    runtime: Runtime, place: str, batch: int
) -> None:
    """In every batch it dies twice at one place; after that it gets through."""
    victim = uuid4()
    await refuse_many(runtime, victim, 25)
    await Sequencer(runtime).run()
    tries, deaths = 0, 0

    async def dies(_name: str) -> None:
        nonlocal tries, deaths
        tries += 1
        if tries % 3:
            deaths += 1
            raise failpoints.Failure(place)

    failpoints.armed[place] = dies
    try:
        for _ in range(400):
            try:
                if await Following(runtime, batch=batch).run() == 0 and await _is_at_end(runtime):
                    break
            except failpoints.Failure:
                continue
    finally:
        failpoints.armed.pop(place)

    (alert,) = await alerts_of(runtime)
    assert (alert.count, deaths > 0) == (25, True)
    assert await _events(runtime) == [str(alert.id)]


async def _is_at_end(runtime: Runtime) -> bool:
    async with runtime.reads() as session:
        return not await FollowerRepository(session).exists_work(runtime.clock.now())


async def _events(runtime: Runtime) -> list[Any]:
    async with runtime.reads() as session:
        rows = await session.scalars(select(OutboxRecord).where(OutboxRecord.name == "security.alert"))
        return [row.payload["alert_id"] for row in rows]


@pytest.mark.bar("T4")
async def test_followers_when_several_run_at_once_hear_everything_once(runtime: Runtime) -> None:
    victims = [uuid4() for _ in range(3)]
    for victim in victims:
        await refuse_many(runtime, victim, 12)
    await Sequencer(runtime).run()
    for _ in range(3):
        await asyncio.gather(*(Following(runtime, batch=5).run() for _ in range(6)))

    found = await alerts_of(runtime, "failed_sign_ins")
    assert sorted((alert.subject_id, alert.count) for alert in found) == sorted(
        (victim, 12) for victim in victims
    )
    assert len(await _events(runtime)) == len(await alerts_of(runtime))


async def test_position_when_somebody_else_moved_it_is_not_written_over(
    runtime: Runtime, follow: Follow
) -> None:
    await refuse_many(runtime, uuid4(), 2)
    await follow()
    async with (unit := runtime.unit()):
        moved = await FollowerRepository(unit.session).advance(0, 1)
    async with runtime.reads() as session:
        place = await FollowerRepository(session).find_place()

    assert (moved, place.position) == (False, 2)


async def test_alert_when_it_rested_for_a_window_is_raised_anew(
    runtime: Runtime, clock: FrozenClock, follow: Follow
) -> None:
    victim = uuid4()
    await refuse_many(runtime, victim, 10)
    await follow()
    clock.advance(timedelta(minutes=61))
    await refuse_many(runtime, victim, 10)
    await follow()

    assert [alert.count for alert in await alerts_of(runtime, "failed_sign_ins")] == [10, 10]


async def test_alert_when_it_was_resolved_is_raised_anew(runtime: Runtime, follow: Follow) -> None:
    victim = uuid4()
    await refuse_many(runtime, victim, 10)
    await follow()
    (alert,) = await alerts_of(runtime)
    await Alerts(runtime, runtime.unit()).resolve(alert.id, actor=None)
    await refuse_many(runtime, victim, 10)
    await follow()

    assert [alert.count for alert in await alerts_of(runtime)] == [10, 10]


async def test_alert_when_it_goes_on_for_a_day_is_raised_anew(
    runtime: Runtime, clock: FrozenClock, follow: Follow
) -> None:
    key = uuid4()
    for _ in range(60):
        await write(runtime, "api_key.honeytoken_used", subject=("api_key", key))
        clock.advance(timedelta(minutes=30))
    await follow()

    assert [alert.count for alert in await alerts_of(runtime)] == [48, 12]


async def test_entries_from_before_there_were_alerts_raise_none(
    runtime: Runtime, clock: FrozenClock, follow: Follow
) -> None:
    victim = uuid4()
    async with (unit := runtime.unit()):
        place = (await unit.session.scalars(select(AlertFollower))).one()
        place.heard_from = clock.now()
    await refuse_many(runtime, victim, 10)
    await follow()
    before = await alerts_of(runtime)
    clock.advance(timedelta(seconds=1))
    await refuse_many(runtime, victim, 10)
    await follow()

    assert (before, [alert.count for alert in await alerts_of(runtime)]) == ([], [10])


async def test_rules_when_nothing_waits_cost_one_look(runtime: Runtime, follow: Follow) -> None:
    await follow()

    assert await Following(runtime).run() == 0
    assert await counters_of(runtime) == []


async def test_mail_when_the_follower_dies_is_written_once(
    runtime: Runtime, mails: CapturedMails, follow: Follow
) -> None:
    ada = await add_person(runtime, "ada@example.org")
    await refuse_many(runtime, ada.id, 10)
    await Sequencer(runtime).run()
    failpoints.armed["alerts.mail.after_enqueue"] = failpoints.raising()
    try:
        with pytest.raises(failpoints.Failure):
            await Following(runtime).run()
    finally:
        failpoints.armed.clear()
    await follow()
    await follow()

    assert [mail.subject for mail in mails] == ["Portico: Many failed sign-ins"]
