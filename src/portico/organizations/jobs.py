"""Queued work of organizations: erasing those whose grace is over, forgetting old invitations, looking domains up."""

from datetime import timedelta
from uuid import UUID

from portico.core.ids import OrganizationId
from portico.messaging import JobRun, Jobs, Schedule, job
from portico.messaging.sweeps import in_batches
from portico.organizations.repositories.invitations import InvitationRepository
from portico.organizations.services import OrganizationLifecycle
from portico.organizations.services.domains import Domains
from portico.organizations.services.joining import DomainJoining
from portico.organizations.settings import OrganizationsSettings

MOST_LOOK_UPS = 1_000


@job("organizations.erase")
async def erase_organization(run: JobRun, *, organization_id: UUID) -> None:
    """Delete the rows of one organization; one that was restored meanwhile is left alone, also if deleted anew."""
    lifecycle = OrganizationLifecycle(run.runtime, run.runtime.unit())
    await lifecycle.erase_if_due(OrganizationId(organization_id))


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


@job("organizations.sweep_invitations")
async def sweep_invitations(run: JobRun) -> None:
    """Forget invitations that were answered, withdrawn or have expired a while ago."""
    before = run.runtime.clock.now() - run.runtime.section(OrganizationsSettings).keep_invitations
    await in_batches(
        run.runtime, lambda unit, limit: InvitationRepository(unit.session).remove_over(before, limit)
    )


@job("organizations.recheck_domain", attempts=3)
async def recheck_domain(run: JobRun, *, domain_id: UUID) -> None:
    """Look up whether the record that proves a domain still stands."""
    await Domains(run.runtime, run.unit()).recheck(domain_id)


@job("organizations.recheck_domains")
async def recheck_domains(run: JobRun) -> None:
    """Enqueue the look-ups that are due: each by itself, for name servers may be slow."""
    runtime = run.runtime
    due = await Domains(runtime, runtime.unit()).list_due(MOST_LOOK_UPS)
    if not due:
        return
    async with runtime.unit() as unit:
        for domain_id in due:
            wish = recheck_domain.when(unique_key=f"organizations.recheck_domain:{domain_id}")
            runtime.get(Jobs).enqueue(unit, wish, domain_id=domain_id)


@job("organizations.let_in_by_domain", time_limit=timedelta(hours=1))
async def let_in_by_domain(run: JobRun, *, domain_id: UUID) -> None:
    """Let in who had proven an address of a domain before its organization let people join by it.

    One after the other, each in a transaction of its own that asks again; begun anew it passes over who is in.
    """
    runtime = run.runtime
    after: UUID | None = None
    actor_id = run.asker.principal_id if run.asker is not None else None
    while found := await DomainJoining(runtime, runtime.unit()).list_outside(domain_id, after):
        for _, user_id in found:
            await DomainJoining(runtime, runtime.unit()).join(user_id, actor_id=actor_id)
        after = found[-1][0]


SCHEDULES = (
    Schedule(purge_organizations, every=timedelta(hours=1)),
    Schedule(sweep_invitations, every=timedelta(hours=6)),
    Schedule(recheck_domains, every=timedelta(hours=1)),
)
