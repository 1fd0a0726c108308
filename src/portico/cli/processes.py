"""How a command gets its runtime: the same composition as the server, without HTTP and without periodic work."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from portico.app import default_features
from portico.composition import compose, opened
from portico.core.logging import configure_logging
from portico.core.settings import Settings
from portico.db.migrator import Migrator
from portico.runtime import Runtime


@asynccontextmanager
async def command_runtime() -> AsyncIterator[Runtime]:
    """Lend the runtime of a command.

    Raises:
        SchemaBehind, SchemaAhead: the database does not fit this release.
    """
    settings = Settings()
    configure_logging(settings)
    runtime = compose(settings, default_features())
    try:
        await Migrator(runtime.database.url).check()
        async with opened(runtime, follows=False):
            yield runtime
    finally:
        await runtime.database.close()


def run_with_runtime[T](work: Callable[[Runtime], Awaitable[T]]) -> T:
    """Run `work` with a runtime, in an event loop of its own."""

    async def run() -> T:
        async with command_runtime() as runtime:
            return await work(runtime)

    return anyio.run(run)
