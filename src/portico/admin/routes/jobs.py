"""Jobs and queues: what waits, what was given up, and another try for it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from portico.admin.dependencies import WorkDep
from portico.admin.permissions import AdminPermission
from portico.admin.schemas import JobListQuery, JobResponse, QueuesResponse
from portico.http.access import requires
from portico.http.dependencies import PrincipalDep
from portico.http.errors import CursorInvalid
from portico.http.pagination import Page
from portico.http.problems import describes
from portico.messaging.errors import JobNotFound, JobNotRetriable, JobOver

router = APIRouter()


@router.get("/queues", dependencies=[Depends(requires(AdminPermission.JOB_READ))], summary="Queues")
async def get_queues(work: WorkDep) -> QueuesResponse:
    """Return how each queue and the outbox are doing."""
    return QueuesResponse.model_validate(await work.queues())


@router.get(
    "/jobs",
    dependencies=[Depends(requires(AdminPermission.JOB_READ))],
    responses=describes(CursorInvalid),
    summary="List jobs",
)
async def list_jobs(query: Annotated[JobListQuery, Query()], work: WorkDep) -> Page[JobResponse]:
    """Return one page of the jobs, the newest first; `status=dead` are those that were given up."""
    page = await work.list_jobs(query)
    return Page[JobResponse](
        data=[JobResponse.model_validate(job) for job in page.data], pagination=page.pagination
    )


@router.get(
    "/jobs/{job_id}",
    dependencies=[Depends(requires(AdminPermission.JOB_READ))],
    responses=describes(JobNotFound),
    summary="One job",
)
async def get_job(job_id: UUID, work: WorkDep) -> JobResponse:
    """Return one job: its arguments, how far it is, and why it failed last."""
    return JobResponse.model_validate(await work.get_job(job_id))


@router.post(
    "/jobs/{job_id}/retry",
    dependencies=[Depends(requires(AdminPermission.JOB_RETRY))],
    responses=describes(JobNotFound, JobNotRetriable),
    summary="Try a job again",
)
async def retry_job(job_id: UUID, principal: PrincipalDep, work: WorkDep) -> JobResponse:
    """Let a job that was given up or cancelled run again, now and with all its attempts."""
    return JobResponse.model_validate(await work.retry_job(job_id, actor=principal))


@router.post(
    "/jobs/{job_id}/cancel",
    dependencies=[Depends(requires(AdminPermission.JOB_CANCEL))],
    responses=describes(JobNotFound, JobOver),
    summary="Cancel a job",
)
async def cancel_job(job_id: UUID, principal: PrincipalDep, work: WorkDep) -> JobResponse:
    """Cancel a job that waits; one that runs is ended within seconds."""
    return JobResponse.model_validate(await work.cancel_job(job_id, actor=principal))
