"""What can go wrong with events and jobs before and while they are worked on."""

from portico.core.errors import Conflict, NotFound


class UnknownEvent(LookupError):
    """No feature of this release declares an event of this name and version; another release may."""


class PayloadInvalid(ValueError):
    """What was stored does not fit what the event or job takes; it names the fields, never their values."""


class LeaseLost(RuntimeError):
    """The job is no longer this run's: another process has taken it over, or it was cancelled."""


class JobNotFound(NotFound):
    """There is no such job, or it was forgotten."""

    code, title = "job_not_found", "There is no such job"


class JobNotRetriable(Conflict):
    """Only a job that was given up or cancelled can be tried again."""

    code, title = "job_not_retriable", "This job cannot be tried again"


class JobOver(Conflict):
    """A job that has ended cannot be cancelled."""

    code, title = "job_over", "This job has already ended"
