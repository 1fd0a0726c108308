"""What processes do for the trail: chain it, tell the sinks, and let the oldest go."""

from datetime import timedelta

from portico.audit.refusals import write_refusals
from portico.audit.services.retention import prune_if_allowed
from portico.audit.services.sequencing import Sequencer
from portico.audit.services.shipping import Shipping
from portico.audit.sinks import SINKS
from portico.messaging import JobRun, Periodic, Schedule, job
from portico.runtime import Runtime

EVERY = timedelta(seconds=1)
OFTEN = timedelta(seconds=5)


async def chain(runtime: Runtime) -> int:
    """Chain what waits, unless another process does."""
    return await Sequencer(runtime).run()


def _ships(name: str) -> Periodic:
    async def ship(runtime: Runtime) -> int:
        return await Shipping(runtime, name).run()

    return Periodic(f"audit.ship.{name}", EVERY, ship)


@job("audit.prune", time_limit=timedelta(hours=1))
async def prune(run: JobRun) -> None:
    """Let go what is older than the settings keep."""
    await prune_if_allowed(run.runtime)


SCHEDULES = (Schedule(prune, every=timedelta(days=1)),)
PERIODICS = (
    Periodic("audit.sequencer", EVERY, chain),
    *map(_ships, SINKS),
    Periodic("audit.refusals", OFTEN, write_refusals),
)
