"""What `portico doctor` examines: is this deployment sound? One line a check; what is wrong also says what mends it."""

import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import anyio
import typer
from sqlalchemy import text

from portico.cli.application import refusal
from portico.cli.features import enabled_features
from portico.composition import compose, migrator_of, opened
from portico.coordination.redis import describe_redis
from portico.core.logging import configure_logging
from portico.core.settings import Settings
from portico.db.database import database_url
from portico.db.privileges import look_at_role
from portico.db.tenancy.errors import TablesOpen
from portico.db.tenancy.models import tenant_models
from portico.db.tenancy.policies import open_tables
from portico.feature import FeatureSet
from portico.runtime import Runtime

type Check = Callable[[Runtime], Awaitable[str]]
LARGEST_SKEW = timedelta(seconds=5)
LONGEST_CHECK_SECONDS = 10
SEPARATE_ROLES = "serve as a role that owns nothing, and `migrate` as the one of PORTICO_DATABASE__OWNER_URL"


class Unsound(Exception):
    """What is wrong, and what mends it, in one sentence."""


def is_sound() -> bool:
    """Examine the deployment and print a line for each check.

    Raises:
        UnknownSettings, UnsafeSettings, SecretMissing: the settings alone forbid to start.
    """
    return anyio.run(_examine)


async def _examine() -> bool:
    settings = Settings()
    configure_logging(settings.changed(logging={"level": "error"}), sys.stderr)
    runtime = compose(settings, enabled_features(settings))
    try:
        sound = [await _report(name, check, runtime) for name, check in GROUND_CHECKS]
        if all(sound):
            sound.append(await _report("features", _features, runtime))
    finally:
        await runtime.database.close()
    return all(sound)


async def _features(runtime: Runtime) -> str:
    """Open the runtime as the server does, and ask every part that has something to say."""
    from portico.app import health_checks

    features = runtime.get(FeatureSet).features
    checks = [
        check for check in health_checks(runtime) if check.name not in {name for name, _ in GROUND_CHECKS}
    ]
    async with opened(runtime, follows=False):
        failed = [check.name for check in checks if not await _report(check.name, check.run, runtime)]
    if failed:
        raise Unsound(f"see {', '.join(failed)}")
    return f"{len(features)} start: {', '.join(feature.name for feature in features)}"


async def _report(name: str, check: Check, runtime: Runtime) -> bool:
    try:
        with anyio.fail_after(LONGEST_CHECK_SECONDS):
            sentence = await check(runtime)
    except Exception as error:  # noqa: BLE001 - whatever it is, the next check still runs
        message = (
            refusal(error) or str(error).partition("\n")[0] or f"gave no answer ({type(error).__name__})"
        )
        typer.echo(f"{typer.style('✗', fg='red')} {name:<12} {message}")
        return False
    typer.echo(f"{typer.style('✓', fg='green')} {name:<12} {sentence}")
    return True


async def _settings(runtime: Runtime) -> str:
    return f"{runtime.settings.environment}, public URL {runtime.settings.public_url}"


async def _database(runtime: Runtime) -> str:
    async with runtime.reads() as session:
        query = "SELECT sqlite_version()" if runtime.database.is_sqlite else "SHOW server_version"
        version = (await session.execute(text(query))).scalar_one()
    where = database_url(runtime.settings).render_as_string(hide_password=True)
    return f"{'SQLite' if runtime.database.is_sqlite else 'PostgreSQL'} {version} at {where}"


async def _migrations(runtime: Runtime) -> str:
    await migrator_of(runtime.settings, runtime.get(FeatureSet).features).check()
    return "up to date"


async def _privileges(runtime: Runtime) -> str:
    if runtime.database.is_sqlite:
        return "SQLite has no roles"
    async with runtime.database.reader.connect() as connection:
        role = await look_at_role(connection)
    if role.excess is None:
        return f"{role.name} owns nothing"
    if runtime.settings.is_production:
        raise Unsound(f"{role.name} {role.excess}: {SEPARATE_ROLES}")
    return f"{role.name} {role.excess}; in production it must not"


async def _tenancy(runtime: Runtime) -> str:
    scoped = tenant_models()
    if runtime.database.is_sqlite or not scoped:
        return f"{len(scoped)} tables of your features belong to organizations"
    async with runtime.database.reader.connect() as connection:
        names = await connection.run_sync(open_tables)
    if names:
        raise Unsound(str(TablesOpen(names)))
    return f"{len(scoped)} tables behind row level security"


async def _clock(runtime: Runtime) -> str:
    if runtime.database.is_sqlite:
        return "the database shares this machine's clock"
    async with runtime.reads() as session:
        theirs: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    skew = abs(theirs - runtime.clock.now())
    if skew > LARGEST_SKEW:
        raise Unsound(f"differs from the database's by {skew.total_seconds():.0f} s: synchronise both by NTP")
    return f"within {LARGEST_SKEW.total_seconds():.0f} s of the database's"


async def _storage(runtime: Runtime) -> str:
    folder = runtime.settings.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder) as probe:
        probe.write(b"portico")
    return f"{folder} can be written"


GROUND_CHECKS: tuple[tuple[str, Check], ...] = (
    ("settings", _settings),
    ("database", _database),
    ("migrations", _migrations),
    ("privileges", _privileges),
    ("tenancy", _tenancy),
    ("clock", _clock),
    ("storage", _storage),
    ("redis", describe_redis),
)
