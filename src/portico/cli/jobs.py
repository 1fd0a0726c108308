"""`portico jobs` and `portico outbox`: what waits, what was given up, and another try for it."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

if TYPE_CHECKING:
    from portico.messaging.types import JobView, OutboxState, QueueState
    from portico.runtime import Runtime

STATUS = typer.Option(help="Only those: queued, running, done, dead (given up) or cancelled.")
QUEUE = typer.Option(help="Only those of this queue.")
NAME = typer.Option(help="Only those of this name.")
LIMIT = typer.Option(help="At most so many, the newest first.", min=1, max=10_000)
JOB = typer.Argument(help="The job's id.")
ALL_DEAD = typer.Option("--all-dead", help="Every job that was given up, instead of one.")
AS_JSON = typer.Option("--json", help="Print JSON, for scripts.")


def register_commands(app: typer.Typer) -> None:
    """Add the groups `jobs` and `outbox`."""
    jobs = typer.Typer(no_args_is_help=True, help="Jobs: list them, look at one, try again, cancel.")
    jobs.command("list")(print_jobs)
    jobs.command("show")(print_job)
    jobs.command("retry")(retry)
    jobs.command("cancel")(cancel)
    app.add_typer(jobs, name="jobs")
    outbox = typer.Typer(no_args_is_help=True, help="Events that wait to be told.")
    outbox.command("status")(print_outbox)
    app.add_typer(outbox, name="outbox")


def print_jobs(  # noqa: PLR0917 - options, which nobody passes by position
    context: typer.Context,
    status: Annotated[str | None, STATUS] = None,
    queue: Annotated[str | None, QUEUE] = None,
    name: Annotated[str | None, NAME] = None,
    limit: Annotated[int, LIMIT] = 20,
    as_json: Annotated[bool, AS_JSON] = False,  # noqa: FBT002
) -> None:
    """List jobs, the newest first, and how the queues are doing."""
    from portico.messaging import Jobs, JobStatus

    wanted = None if status is None else _status(status)

    async def work(runtime: "Runtime") -> "tuple[list[JobView], Sequence[QueueState]]":
        jobs = runtime.get(Jobs)
        found = await jobs.list_newest(status=wanted, queue=queue, name=name, limit=limit)
        return found, await jobs.states()

    found, states = context.obj.run(work)
    if as_json:
        typer.echo(json.dumps([_as_json(job) for job in found]))
        return
    for state in states:
        counts = ", ".join(f"{count} {kind}" for kind in JobStatus if (count := state.counts.get(kind)))
        typer.echo(f"{state.queue}: {counts}")
    for job in found:
        typer.echo(_line(job))


def _status(text: str) -> Any:
    from portico.cli.errors import CommandRefused
    from portico.messaging import JobStatus

    try:
        return JobStatus(text)
    except ValueError:
        raise CommandRefused(f"{text!r} is none of {', '.join(JobStatus)}") from None


def print_job(
    context: typer.Context,
    job_id: Annotated[UUID, JOB],
    as_json: Annotated[bool, AS_JSON] = False,  # noqa: FBT002
) -> None:
    """Show one job: its arguments, how far it is, and why it failed last."""
    from portico.messaging import Jobs

    job: JobView = context.obj.run(lambda runtime: runtime.get(Jobs).get(job_id))
    if as_json:
        typer.echo(json.dumps(_as_json(job)))
        return
    for name, value in _as_json(job).items():
        if value is not None:
            typer.echo(f"{name:<12} {value if isinstance(value, str) else json.dumps(value)}")


def retry(
    context: typer.Context,
    job_id: Annotated[UUID | None, JOB] = None,
    all_dead: Annotated[bool, ALL_DEAD] = False,  # noqa: FBT002
) -> None:
    """Try a job again that was given up or cancelled, now and with all its attempts."""
    from portico.cli.errors import CommandRefused

    if (job_id is None) == (not all_dead):
        raise CommandRefused("name one job, or --all-dead")
    count: int = context.obj.run(lambda runtime: _retry(runtime, job_id))
    typer.echo(f"Jobs that are tried again: {count}")


async def _retry(runtime: "Runtime", job_id: UUID | None) -> int:
    from portico.messaging import Jobs, JobStatus

    jobs = runtime.get(Jobs)
    if job_id is not None:
        await jobs.retry(runtime.unit(), job_id)
        return 1
    count, dead = 0, await jobs.list_newest(status=JobStatus.DEAD, limit=500)
    while dead:
        for each in dead:
            await jobs.retry(runtime.unit(), each.id)
        count += len(dead)
        dead = await jobs.list_newest(status=JobStatus.DEAD, before=dead[-1].id, limit=500)
    return count


def cancel(context: typer.Context, job_id: Annotated[UUID, JOB]) -> None:
    """Cancel a job that waits; one that runs is ended within seconds."""
    from portico.messaging import Jobs

    context.obj.run(lambda runtime: runtime.get(Jobs).cancel(runtime.unit(), job_id))
    typer.echo("It is cancelled, or ends within seconds.")


def print_outbox(context: typer.Context, as_json: Annotated[bool, AS_JSON] = False) -> None:  # noqa: FBT002
    """Tell how many events wait to be told to subscribers, webhooks and the message broker."""
    from portico.messaging import Jobs

    state: OutboxState = context.obj.run(lambda runtime: runtime.get(Jobs).outbox_state())
    facts: dict[str, Any] = {
        "waiting": state.waiting,
        "oldest": _moment(state.oldest),
        "faulty": state.faulty,
        "fault": state.fault,
        "unpublished": state.unpublished,
    }
    if as_json:
        typer.echo(json.dumps(facts))
        return
    since = f", the oldest since {facts['oldest']}" if state.oldest else ""
    typer.echo(f"{state.waiting} events wait{since}; {state.unpublished} are not at the message broker yet.")
    if state.faulty:
        typer.echo(
            f"{state.faulty} of them cannot be fanned out, and are tried again. One says: {state.fault}"
        )


def _line(job: "JobView") -> str:
    attempts = f"attempt {job.attempts}" if job.attempts else ""
    parts = [f"{job.created_at:%Y-%m-%d %H:%M:%S}", str(job.id), f"{job.status:<9}", job.name, attempts]
    line = "  ".join(part for part in parts if part)
    return f"{line}\n    {job.last_error}" if job.last_error else line


def _as_json(job: "JobView") -> dict[str, Any]:
    facts = {name: getattr(job, name) for name in type(job).__dataclass_fields__}
    return {
        name: _moment(value) if isinstance(value, datetime) else _plain(value)
        for name, value in facts.items()
    }


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value
