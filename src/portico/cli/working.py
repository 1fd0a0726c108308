"""What `portico worker` does: jobs, until it is told to stop."""

from collections.abc import Sequence
from datetime import timedelta

import typer

from portico.cli.errors import CommandRefused
from portico.cli.features import enabled_features
from portico.core.settings import Settings
from portico.worker import Pool, UnknownQueue, WorkerOptions, run_worker


def run_jobs(queues: Sequence[str], pool: Pool, concurrency: int | None, grace_seconds: float) -> None:
    """Work until SIGTERM or SIGINT.

    Raises:
        CommandRefused: no job uses one of the queues.
    """
    settings = Settings()
    options = WorkerOptions(
        queues=tuple(queues), pool=pool, concurrency=concurrency, grace=timedelta(seconds=grace_seconds)
    )
    try:
        status = run_worker(settings, enabled_features(settings), options)
    except UnknownQueue as error:
        raise CommandRefused(str(error)) from error
    if status:
        raise typer.Exit(status)
