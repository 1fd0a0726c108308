"""Work that goes on after the answer names both: who asked for it, and in whose name (ASVS 5.0 V16.2.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

import httpx2
import pytest
from fastapi import APIRouter, Depends

from portico.access.services import acting_for
from portico.app import default_features
from portico.audit.models import AuditEntry
from portico.audit.services import record
from portico.core.context import Asker
from portico.core.ids import PrincipalId
from portico.feature import Feature
from portico.http.access import requires
from portico.http.dependencies import PrincipalDep, RuntimeDep
from portico.messaging import Event, EventBus, JobRun, Jobs, after, job
from portico.messaging.models import JobRecord, OutboxRecord
from portico.runtime import Runtime
from portico.testing.jobs import do_job, run_due_jobs
from portico.users.permissions import UserPermission
from portico.users.types import Account
from tests.sessions.impersonators import impersonate
from tests.sessions.people import add_person, rows_of, sign_in

pytestmark = [pytest.mark.anyio, pytest.mark.bar("ASVS-16.2.1")]

router = APIRouter()
askers: list[Asker | None] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class PieOrdered(Event):
    """Somebody wants a pie."""

    name: ClassVar[str] = "pie.ordered"
    user_id: PrincipalId


@job("pies.bake")
async def bake(run: JobRun, *, user_id: UUID) -> None:
    """Act for the person in both ways: with his rights, and by his id alone; and once for nobody."""
    askers.append(run.asker)
    person = await acting_for(run.runtime, PrincipalId(user_id))
    async with run.unit() as unit:
        record(run.runtime, unit, "pie.baked", actor=person)
        record(run.runtime, unit, "pie.cooled", actor=user_id)
        record(run.runtime, unit, "oven.cleaned")
        run.runtime.get(Jobs).enqueue(unit, deliver, user_id=user_id)


@job("pies.deliver")
async def deliver(run: JobRun, *, user_id: UUID) -> None:
    """Go on with it in a job of the job's."""
    async with run.unit() as unit:
        record(run.runtime, unit, "pie.delivered", actor=user_id)


async def thank(event: PieOrdered, run: JobRun) -> None:
    """Hear of it after the commit."""
    async with run.unit() as unit:
        record(run.runtime, unit, "pie.thanked", actor=event.user_id)


@router.post("/pies", status_code=204, dependencies=[Depends(requires(UserPermission.SELF_UPDATE))])
async def order(principal: PrincipalDep, runtime: RuntimeDep) -> None:
    """Order a pie."""
    async with runtime.unit() as unit:
        record(runtime, unit, "pie.ordered", actor=principal)
        runtime.get(Jobs).enqueue(unit, bake, user_id=principal.id)
        await runtime.get(EventBus).emit(PieOrdered(at=runtime.clock.now(), user_id=principal.id), unit)


@pytest.fixture
def features() -> Sequence[Feature]:
    askers.clear()
    return [
        *default_features(),
        Feature(
            name="pies",
            routers=[router],
            jobs=[bake, deliver],
            subscribers=[after(PieOrdered, "pies.thank", thank)],
        ),
    ]


@pytest.fixture
async def ada(runtime: Runtime) -> Account:
    return await add_person(runtime, "ada@example.org")


async def identities(runtime: Runtime) -> dict[str, tuple[UUID | None, UUID | None]]:
    """Return who acted and in whose name, by what was done."""
    found = await rows_of(runtime, AuditEntry, AuditEntry.action.in_(ACTS))
    return {entry.action: (entry.actor_id, entry.on_behalf_of_id) for entry in found}


IN_HIS_NAME = ("pie.ordered", "pie.baked", "pie.cooled", "pie.delivered", "pie.thanked")
ACTS = (*IN_HIS_NAME, "oven.cleaned")


async def test_work_of_an_impersonator_names_both(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    actor = await impersonate(runtime, client, ada)
    answer = await actor.as_person.request("POST", "/pies")
    assert answer.status_code == 204, answer.text

    await run_due_jobs(runtime)

    both = (actor.account.id, ada.id)
    assert await identities(runtime) == {**dict.fromkeys(IN_HIS_NAME, both), "oven.cleaned": (None, None)}
    assert askers == [Asker(ada.id, actor.account.id, is_later=True)]


async def test_work_of_the_person_is_his_own(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    own = await sign_in(client, "ada@example.org")
    await own.request("POST", "/pies")

    await run_due_jobs(runtime)

    his = (ada.id, None)
    assert await identities(runtime) == {**dict.fromkeys(IN_HIS_NAME, his), "oven.cleaned": (None, None)}
    assert askers == [Asker(ada.id, None, is_later=True)]


async def test_a_job_for_one_person_is_no_act_in_the_name_of_another(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    """What the impersonator asked for in Ada's name says nothing about what is done for Bob meanwhile."""
    actor, bob = await impersonate(runtime, client, ada), await add_person(runtime, "bob@example.org")
    await actor.as_person.request("POST", "/pies")
    [waiting] = await rows_of(runtime, JobRecord, JobRecord.name == "pies.bake")
    async with runtime.unit() as unit:
        row = await unit.session.get_one(JobRecord, waiting.id)
        row.arguments = {"user_id": str(bob.id)}

    await run_due_jobs(runtime)

    found = await identities(runtime)
    assert found["pie.baked"] == found["pie.cooled"] == (bob.id, None)


async def test_nobody_asked_for_what_the_clock_does(runtime: Runtime, ada: Account) -> None:
    await do_job(runtime, bake, user_id=ada.id)
    await run_due_jobs(runtime)

    assert askers == [None]
    assert (await identities(runtime))["pie.baked"] == (ada.id, None)
    [written] = await rows_of(runtime, JobRecord, JobRecord.name == "pies.deliver")
    assert (written.principal_id, written.actor_id) == (None, None)
    assert await rows_of(runtime, OutboxRecord, OutboxRecord.principal_id.is_not(None)) == []
