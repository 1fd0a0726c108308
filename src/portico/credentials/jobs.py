"""Work that repeats: forgetting guesses that are long past."""

from datetime import timedelta

from portico.credentials.repositories import GuessRepository
from portico.runtime import Runtime

KEPT = timedelta(days=90)


async def sweep_guesses(runtime: Runtime) -> None:
    """Delete counters that saw no guess for 90 days."""
    async with runtime.unit() as unit:
        await GuessRepository(unit.session).sweep(runtime.clock.now() - KEPT)
