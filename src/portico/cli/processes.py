"""How a command gets its runtime: the same composition as the server, without HTTP and without periodic work."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portico.core.settings import Settings
    from portico.runtime import Runtime


class CommandLine:
    """What every command finds as `context.obj`."""

    def run[T](self, work: "Callable[[Runtime], Awaitable[T]]") -> T:
        """Run `work` with an open runtime, in an event loop of its own.

        Raises:
            UnknownSettings, UnsafeSettings, SecretMissing: see `portico.composition.compose`.
            SchemaBehind, SchemaAhead: the database does not fit this release.
        """
        import anyio
        import typer

        async def run() -> T:
            async with command_runtime() as runtime:
                return await work(runtime)

        try:
            return anyio.run(run)
        except KeyboardInterrupt:
            typer.echo("Interrupted. What is done stays done; the same command goes on from there.", err=True)
            raise


@asynccontextmanager
async def command_runtime(settings: "Settings | None" = None) -> "AsyncIterator[Runtime]":
    """Lend the runtime of a command; what is logged goes to standard error, so that answers can be piped.

    Raises:
        SchemaBehind, SchemaAhead: the database does not fit this release.
    """
    from portico.cli.features import enabled_features
    from portico.composition import check_schema, compose, opened
    from portico.core.logging import configure_logging
    from portico.core.settings import Settings

    settings = settings or Settings()
    configure_logging(settings, sys.stderr)
    features = enabled_features(settings)
    runtime = compose(settings, features)
    try:
        await check_schema(runtime)
        async with opened(runtime, follows=False):
            yield runtime
    finally:
        await runtime.database.close()
