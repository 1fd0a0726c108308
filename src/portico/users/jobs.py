"""Queued work: erasing the deleted whose grace is over."""

from portico.messaging import JobRun, job
from portico.users.services import Users
from portico.users.settings import UsersSettings


@job("users.purge")
async def purge_deleted_users(run: JobRun) -> None:
    """Erase batch after batch until nobody is due; each batch is a transaction of its own."""
    runtime = run.runtime
    batch = runtime.section(UsersSettings).purge_batch
    while await Users(runtime, runtime.unit()).purge_deleted() == batch:
        pass
