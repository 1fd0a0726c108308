"""Queued work of organizations: erasing those whose grace is over."""

from datetime import timedelta
from uuid import UUID

from portico.core.ids import OrganizationId
from portico.messaging import JobRun, Jobs, Schedule, job
from portico.organizations.services import OrganizationLifecycle


@job("organizations.erase")
async def erase_organization(run: JobRun, *, organization_id: UUID) -> None:
    """Delete the rows of one organization; one that was restored meanwhile is left alone."""
    lifecycle = OrganizationLifecycle(run.runtime, run.runtime.unit())
    await lifecycle.erase(OrganizationId(organization_id))


@job("organizations.purge")
async def purge_organizations(run: JobRun) -> None:
    """Enqueue the erasing of those whose grace is over: each by itself, so that one that fails holds up no other."""
    runtime = run.runtime
    due = await OrganizationLifecycle(runtime, runtime.unit()).list_to_erase(runtime.clock.now())
    if not due:
        return
    async with runtime.unit() as unit:
        for organization_id in due:
            wish = erase_organization.when(unique_key=f"organizations.erase:{organization_id}")
            runtime.get(Jobs).enqueue(unit, wish, organization_id=organization_id)


SCHEDULES = (Schedule(purge_organizations, every=timedelta(hours=1)),)
