"""What sessions do now and then."""

import asyncio

from portico.runtime import Runtime
from portico.sessions.devices import device_name
from portico.sessions.services import Sessions, sweep_sessions


async def note_use_of_sessions(runtime: Runtime) -> None:
    """Write when the sessions that were used lately were used."""
    await Sessions(runtime, runtime.unit()).note_use()


async def sweep_outlived_sessions(runtime: Runtime) -> None:
    """Delete the rows of sessions that are over for long."""
    await sweep_sessions(runtime)


async def prepare_device_names(_runtime: Runtime) -> None:
    """Read the tables of browsers right after the start, in a thread, so that the first sign-in need not wait."""
    await asyncio.to_thread(device_name, "portico")
