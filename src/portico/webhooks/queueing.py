"""Which job delivers to an endpoint, and when.

What is due now shares one unique key for each endpoint, so that a thousand events make one job. What is due later has
a key with its time: a job that waits for a retry must not swallow the one that is needed now.
"""

from datetime import datetime
from uuid import UUID

from portico.db.unit import Unit
from portico.messaging import Jobs
from portico.runtime import Runtime

FAILING = 10
"""The priority of endpoints that fail: those that work go first."""


def enqueue_delivering(
    runtime: Runtime, unit: Unit, endpoint_id: UUID, *, at: datetime | None = None, is_failing: bool = False
) -> None:
    """Have what is due for an endpoint delivered, now or at a time."""
    from portico.webhooks.jobs import deliver  # the job calls the services, and these call here

    key = f"webhooks:{endpoint_id}"
    if at is not None and at > runtime.clock.now():
        key = f"{key}:{int(at.timestamp())}"
    job = deliver.when(run_at=at, unique_key=key, priority=FAILING if is_failing else 0)
    runtime.get(Jobs).enqueue(unit, job, endpoint_id=endpoint_id)
