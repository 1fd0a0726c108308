"""`portico jobs` and `portico outbox`, on both databases."""

import json
from uuid import UUID, uuid4

import anyio

from portico.messaging import Jobs
from portico.users.addresses import parse_address
from portico.users.services import NewUser, Users
from tests.cli.conftest import Portico
from tests.cli.test_accounts import open_runtime


def write_jobs(database: dict[str, str], count: int = 2) -> list[UUID]:
    """Leave jobs that wait, of a name that every release knows."""

    async def work() -> list[UUID]:
        from portico.tokens.jobs import sweep_tokens

        async with open_runtime(database) as runtime, runtime.unit() as unit:
            return [runtime.get(Jobs).enqueue(unit, sweep_tokens) for _ in range(count)]

    return anyio.run(work)


def test_jobs_are_listed_shown_cancelled_and_tried_again(portico: Portico, database: dict[str, str]) -> None:
    first, second = write_jobs(database)

    listed = portico("jobs", "list", **database)
    cancelled = portico("jobs", "cancel", str(first), **database)
    shown = portico("jobs", "show", str(first), **database)
    again = portico("jobs", "retry", str(first), **database)
    found = json.loads(portico("jobs", "list", "--status", "queued", "--json", **database).out)

    assert "default: 2 queued" in listed.out
    assert str(second) in listed.out
    assert (cancelled.status, again.status) == (0, 0)
    assert "status       cancelled" in shown.out
    assert "Jobs that are tried again: 1" in again.out
    assert {each["id"] for each in found} == {str(first), str(second)}


def test_job_that_is_not_there_or_not_over_is_refused_in_one_line(
    portico: Portico, database: dict[str, str]
) -> None:
    [waiting] = write_jobs(database, 1)

    unknown = portico("jobs", "show", str(uuid4()), **database)
    not_over = portico("jobs", "retry", str(waiting), **database)
    neither = portico("jobs", "retry", **database)
    wrong = portico("jobs", "list", "--status", "lost", **database)

    assert [each.status for each in (unknown, not_over, neither, wrong)] == [1, 1, 1, 1]
    assert "no such job" in unknown.err
    assert "cannot be tried again" in not_over.err
    assert "--all-dead" in neither.err
    assert "queued, running, done, dead, cancelled" in wrong.err


def test_outbox_tells_what_waits(portico: Portico, database: dict[str, str]) -> None:
    async def act() -> None:
        async with open_runtime(database) as runtime:
            await Users(runtime, runtime.unit()).create_user(NewUser(email=parse_address("ada@example.com")))

    nothing = portico("outbox", "status", **database)
    anyio.run(act)
    told = portico("outbox", "status", **database)
    facts = json.loads(portico("outbox", "status", "--json", **database).out)

    assert "0 events wait;" in nothing.out
    assert "1 events wait, the oldest since" in told.out
    assert (facts["waiting"], facts["faulty"], facts["unpublished"]) == (1, 0, 0)
