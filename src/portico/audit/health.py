"""What the trail says of itself in `/health/detailed` and `portico doctor`."""

from portico.audit.services.sequencing import Sequencer
from portico.audit.services.shipping import Shipping
from portico.audit.settings import AuditSettings
from portico.audit.sinks import SINKS
from portico.runtime import Runtime


class TrailBehind(RuntimeError):
    """Entries wait too long for their links, or a sink for entries."""


async def describe_chain(runtime: Runtime) -> str:
    """Say how much is chained and how much waits.

    Raises:
        TrailBehind: an entry waits for longer than the settings allow.
    """
    lag = await Sequencer(runtime).lag()
    seconds = max((runtime.clock.now() - lag.oldest).total_seconds(), 0) if lag.oldest else 0
    gaps = f", {lag.open_gaps} numbers may yet come" if lag.open_gaps else ""
    line = f"{lag.links} entries chained, {lag.waiting} waiting, the oldest for {seconds:.0f} s{gaps}"
    if seconds > runtime.section(AuditSettings).lag_limit.total_seconds():
        raise TrailBehind(f"{line}: does a server or worker run?")
    return line


async def describe_sinks(runtime: Runtime) -> str:
    """Say how far each sink has been told.

    Raises:
        TrailBehind: a sink has taken nothing for longer than the settings allow.
    """
    limit, now = runtime.section(AuditSettings).lag_limit, runtime.clock.now()
    lines, is_behind = [], False
    for name in SINKS:
        shipping = Shipping(runtime, name)
        if not shipping.is_wanted:
            continue
        state, behind = await shipping.state()
        line = f"{name}: {behind} behind"
        if state.failing_since is not None:
            failing = now - state.failing_since
            is_behind = is_behind or failing > limit
            line += f", failing for {failing.total_seconds():.0f} s ({state.last_error})"
        lines.append(line)
    told = "; ".join(lines) or "none"
    if is_behind:
        raise TrailBehind(told)
    return told
