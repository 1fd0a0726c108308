"""Brings the coordination of a process to life: counters, the revocation log and its heartbeat.

PLACEHOLDER until the coordination part lands: replace this file, keep the name `coordination_lifespan`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from portico.runtime import Runtime


@asynccontextmanager
async def coordination_lifespan(runtime: Runtime) -> AsyncIterator[None]:
    """Provide `Counters` and `RevocationLog`."""
    yield
