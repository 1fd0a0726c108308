"""Lets the chosen clients connect, one after the other."""

import socket
from collections.abc import Callable, Sequence

from portico.cli.mcp_doctor.findings import Report
from portico.cli.mcp_doctor.profiles import Profile
from portico.cli.mcp_doctor.steps import STEPS
from portico.cli.mcp_doctor.walking import Options, Walk, walk_through
from portico.cli.mcp_doctor.wire import Wire


async def examine(
    url: str, profiles: Sequence[Profile], options: Options, say: Callable[[str], None]
) -> list[Report]:
    """Return how each client fared; `say` tells the person what to do meanwhile."""
    return [await _examined(url, profile, options, say) for profile in profiles]


async def _examined(url: str, profile: Profile, options: Options, say: Callable[[str], None]) -> Report:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with Wire() as wire:
            walk = Walk(url, profile, wire, options, listener=listener, say=say)
            return await walk_through(walk, STEPS)
