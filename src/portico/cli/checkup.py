"""`portico doctor`: is the running system sound? Exit status 1 if anything is wrong."""

import tempfile
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import anyio
import typer
from rich.console import Console
from sqlalchemy import text

from portico.app import default_features
from portico.composition import compose, migrator_of, opened
from portico.core.safety import proxy_faults
from portico.core.settings import Settings
from portico.feature import FeatureSet
from portico.runtime import Runtime

type Check = Callable[[Runtime], Awaitable[str]]
LARGEST_SKEW = timedelta(seconds=5)


class Unsound(Exception):
    """What is wrong, and what mends it, in one sentence."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor() -> None:
    """Check settings, database, migrations, clock, storage, keys, mail and Redis of this deployment."""
    if not anyio.run(_examine):
        raise typer.Exit(1)


async def _examine() -> bool:
    console = Console(highlight=False)
    runtime = compose(Settings(), default_features())
    if not await _report(console, "settings", _settings, runtime):
        return False
    try:
        sound = [await _report(console, name, check, runtime) for name, check in GROUND_CHECKS]
        if all(sound):
            async with opened(runtime, follows=False):
                sound += [
                    await _report(console, health.name, health.run, runtime)
                    for feature in runtime.get(FeatureSet).features
                    for health in feature.health_checks
                ]
    finally:
        await runtime.database.close()
    return all(sound)


async def _report(console: Console, name: str, check: Check, runtime: Runtime) -> bool:
    try:
        with anyio.fail_after(10):
            sentence = await check(runtime)
    except Exception as error:  # noqa: BLE001 - whatever it is, the next check still runs
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        console.print(f"[red]✗[/red] {name:<12} {message}", soft_wrap=True)
        return False
    console.print(f"[green]✓[/green] {name:<12} {sentence}", soft_wrap=True)
    return True


async def _settings(runtime: Runtime) -> str:
    faults = list(proxy_faults(runtime.settings))
    if faults:
        raise Unsound("; ".join(faults))
    return f"{runtime.settings.environment}, public URL {runtime.settings.public_url}"


async def _database(runtime: Runtime) -> str:
    async with runtime.reads() as session:
        query = "SELECT sqlite_version()" if runtime.database.is_sqlite else "SHOW server_version"
        version = (await session.execute(text(query))).scalar_one()
    return f"{'SQLite' if runtime.database.is_sqlite else 'PostgreSQL'} {version}"


async def _migrations(runtime: Runtime) -> str:
    await migrator_of(runtime.settings, default_features()).check()
    return "up to date"


async def _clock(runtime: Runtime) -> str:
    if runtime.database.is_sqlite:
        return "the database shares this machine's clock"
    async with runtime.reads() as session:
        theirs: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    skew = abs(theirs - runtime.clock.now())
    if skew > LARGEST_SKEW:
        raise Unsound(f"differs from the database's by {skew.total_seconds():.0f} s: synchronise both by NTP")
    return f"within {skew.total_seconds() * 1000:.0f} ms of the database's"


async def _storage(runtime: Runtime) -> str:
    folder = runtime.settings.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder) as probe:
        probe.write(b"portico")
    return f"{folder} can be written"


GROUND_CHECKS: tuple[tuple[str, Check], ...] = (
    ("database", _database),
    ("migrations", _migrations),
    ("clock", _clock),
    ("storage", _storage),
)
