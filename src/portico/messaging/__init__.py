"""Typed events, the transactional outbox, jobs and schedules.

An event is announced by the feature below; features above subscribe, in the act's transaction (`on`, may veto) or
after its commit (`after`, as a job). Jobs are rows that are written with the act's commit and done later, again until
they succeed. Nothing of this happens for something that was rolled back.
"""

from portico.messaging.bus import EventBus, LaterSubscription, Subscription, Tap, after, on
from portico.messaging.errors import LeaseLost
from portico.messaging.events import Event
from portico.messaging.jobs import Job, job
from portico.messaging.periodic import Periodic
from portico.messaging.queue import Jobs
from portico.messaging.runs import JobRefused, JobRun, PauseQueue, RetryLater
from portico.messaging.schedules import Schedule
from portico.messaging.types import Backoff, JobStatus, OutboxEvent

__all__ = [
    "Backoff",
    "Event",
    "EventBus",
    "Job",
    "JobRefused",
    "JobRun",
    "JobStatus",
    "Jobs",
    "LaterSubscription",
    "LeaseLost",
    "OutboxEvent",
    "PauseQueue",
    "Periodic",
    "RetryLater",
    "Schedule",
    "Subscription",
    "Tap",
    "after",
    "job",
    "on",
]
