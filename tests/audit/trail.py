"""Acts for the trail, and what looks at it afterwards."""

from typing import Any
from uuid import UUID

from portico.audit.services import record
from portico.audit.services.sequencing import Sequencer
from portico.audit.services.verifying import verify_trail
from portico.audit.types import Verdict
from portico.core.context import RequestContext, set_current_request
from portico.core.ids import new_id
from portico.runtime import Runtime

ADA, BOB = new_id(), new_id()
NORTH, SOUTH = new_id(), new_id()


def from_somewhere() -> None:
    """Let what follows in this task come from an address and a browser."""
    set_current_request(
        RequestContext(request_id="req-1", client_address="203.0.113.7", user_agent="A browser")
    )


async def act(runtime: Runtime, count: int = 1, *, organization_id: UUID | None = None, **more: Any) -> None:
    """Commit entries, each in a unit of its own."""
    from_somewhere()
    for number in range(count):
        async with runtime.unit() as unit:
            given: dict[str, Any] = {
                "actor": ADA,
                "subject": ("user", BOB),
                "details": {"number": number},
                "organization_id": organization_id,
            }
            record(runtime, unit, "test.acted", **given | more)


async def act_in_full(runtime: Runtime, count: int = 1, *, organization_id: UUID) -> None:
    """Commit entries that use every column."""
    await act(
        runtime,
        count,
        organization_id=organization_id,
        session_id=new_id(),
        reason="because",
        changes={"role": ("member", "admin")},
        personal={"email": "ada@example.org"},
    )


async def populate(runtime: Runtime) -> None:
    """Fill three streams with entries that use every column."""
    await act(runtime, 3)
    await act_in_full(runtime, 3, organization_id=NORTH)
    await act(runtime, 2, organization_id=SOUTH)


async def chain(runtime: Runtime) -> int:
    """Chain what waits."""
    return await Sequencer(runtime).run()


async def verdict(runtime: Runtime, **more: Any) -> Verdict:
    """Verify."""
    return await verify_trail(runtime, **more)
