"""Queued work: forgetting guesses that are long past."""

from datetime import timedelta

from portico.credentials.repositories import GuessRepository
from portico.messaging import JobRun, job
from portico.messaging.sweeps import in_batches

KEPT = timedelta(days=90)


@job("credentials.sweep_guesses")
async def sweep_guesses(run: JobRun) -> None:
    """Delete counters that saw no guess for 90 days."""
    before = run.runtime.clock.now() - KEPT
    await in_batches(run.runtime, lambda unit, limit: GuessRepository(unit.session).sweep(before, limit))
