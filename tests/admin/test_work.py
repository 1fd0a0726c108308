"""Jobs and queues, as administrators see and mend them."""

from collections.abc import Sequence
from uuid import uuid4

import httpx2
import pytest

from portico.app import default_features
from portico.audit.models import AuditEntry
from portico.feature import Feature
from portico.messaging import JobRefused, JobRun, Jobs, job
from portico.messaging.draining import run_due_jobs
from portico.runtime import Runtime
from tests.sessions.people import SignedInPerson, rows_of

pytestmark = pytest.mark.anyio

mended: list[bool] = []


@job("test.mendable")
async def mendable(run: JobRun, *, number: int) -> None:
    if not mended:
        raise JobRefused("the shelf is empty")


@pytest.fixture
def features() -> Sequence[Feature]:
    mended.clear()
    return [*default_features(), Feature(name="work", jobs=[mendable])]


async def given_up(runtime: Runtime, count: int = 1) -> None:
    async with runtime.unit() as unit:
        for number in range(count):
            runtime.get(Jobs).enqueue(unit, mendable, number=number)
    await run_due_jobs(runtime)


async def test_job_that_was_given_up_is_seen_and_tried_again(
    runtime: Runtime, client: httpx2.AsyncClient, admin: SignedInPerson
) -> None:
    await given_up(runtime)
    [dead] = (await admin.request("GET", "/admin/jobs", params={"status": "dead"})).json()["data"]
    mended.append(True)

    answer = await admin.request("POST", f"/admin/jobs/{dead['id']}/retry")
    await run_due_jobs(runtime)

    assert (dead["name"], dead["arguments"], dead["attempts"]) == ("test.mendable", {"number": 0}, 1)
    assert dead["last_error"] == "the shelf is empty"
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")
    assert (await admin.request("GET", f"/admin/jobs/{dead['id']}")).json()["status"] == "done"
    [entry] = await rows_of(runtime, AuditEntry, AuditEntry.action == "job.retried")
    assert str(entry.subject_id) == dead["id"]


async def test_job_that_waits_is_cancelled_and_one_that_has_ended_is_not(
    runtime: Runtime, client: httpx2.AsyncClient, admin: SignedInPerson
) -> None:
    async with runtime.unit() as unit:
        job_id = runtime.get(Jobs).enqueue(unit, mendable, number=1)

    first = await admin.request("POST", f"/admin/jobs/{job_id}/cancel")
    second = await admin.request("POST", f"/admin/jobs/{job_id}/cancel")
    unknown = await admin.request("POST", f"/admin/jobs/{uuid4()}/cancel")

    assert (first.status_code, first.json()["status"]) == (200, "cancelled")
    assert (second.status_code, second.json()["code"]) == (409, "job_over")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "job_not_found")


async def test_list_goes_by_cursor_and_filter(
    runtime: Runtime, client: httpx2.AsyncClient, admin: SignedInPerson
) -> None:
    await given_up(runtime, count=5)
    filters = {"name": "test.mendable", "page_size": 2}
    numbers: list[int] = []
    cursor: str | None = None
    while True:
        page = (
            await admin.request("GET", "/admin/jobs", params=filters | ({"cursor": cursor} if cursor else {}))
        ).json()
        numbers += [job["arguments"]["number"] for job in page["data"]]
        cursor = page["pagination"]["next_cursor"]
        if cursor is None:
            break

    assert numbers == [4, 3, 2, 1, 0]


async def test_queues_tell_what_waits_and_what_was_given_up(
    runtime: Runtime, client: httpx2.AsyncClient, admin: SignedInPerson
) -> None:
    await run_due_jobs(runtime)
    await given_up(runtime)
    async with runtime.unit() as unit:
        runtime.get(Jobs).enqueue(unit, mendable, number=1)

    told = (await admin.request("GET", "/admin/queues")).json()

    [queue] = [queue for queue in told["queues"] if queue["name"] == "default"]
    assert (queue["queued"], queue["running"], queue["dead"]) == (1, 0, 1)
    assert (told["unknown_jobs"], told["events_waiting"]) == ({}, 0)
