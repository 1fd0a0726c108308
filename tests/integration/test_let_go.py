"""A process that makes one application after another, as the suite of a team's product does, keeps none of them."""

import asyncio
import gc
import weakref

import httpx2

from portico.app import assemble, default_features
from portico.composition import compose, opened
from portico.core.settings import Settings
from portico.keys.services import KeyMaker
from portico.testing.clock import FrozenClock
from portico.testing.keys import PooledKeys


def test_application_is_let_go_with_its_runtime(settings: Settings) -> None:
    asyncio.run(_used(settings))  # the first is kept by what is worked out once a process
    left = asyncio.run(_used(settings))

    gc.collect()

    assert [one() for one in left] == [None, None]


async def _used(settings: Settings) -> tuple[weakref.ref[object], weakref.ref[object]]:
    """Ask an application for something, and return what tells whether it and its runtime, by the clock, are left."""
    clock = FrozenClock()
    composed = compose(settings, default_features(), clock=clock)
    composed.provide(KeyMaker, PooledKeys())
    async with opened(composed) as runtime:
        app = assemble(runtime)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url=settings.public_url) as client:
            assert (await client.get("/health/ready")).status_code == 200
            assert (await client.get("/login")).status_code == 200
    return weakref.ref(app), weakref.ref(clock)
