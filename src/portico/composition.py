"""Puts a process together from a list of features, whichever they are.

`compose` makes the runtime without touching anything outside; `started` brings it to life and takes it down again:
schema checked, coordination, ports, each feature's lifespan, periodic work. HTTP, worker and command line use both.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from portico.coordination.counters import parse_windows
from portico.coordination.lifespan import coordination_lifespan
from portico.core.clock import Clock, SystemClock
from portico.core.entropy import Entropy, SystemEntropy
from portico.core.root_secret import load_root_secret
from portico.core.safety import SettingFault, UnsafeSettings, refuse_unsafe_settings
from portico.core.settings import FeatureSettings, Settings
from portico.core.settings_sources import refuse_unknown_settings
from portico.db.chains import Chain, check_chain, portico_chain, team_chain
from portico.db.database import Database, database_url
from portico.feature import Feature, FeatureSet
from portico.http.idempotency import sweep_answers
from portico.messaging import EventBus, Periodic
from portico.messaging.periodic import PeriodicRunner
from portico.runtime import Runtime

if TYPE_CHECKING:
    from portico.db.migrator import Migrator

GROUND_WORK = Periodic("http.sweep_answers", timedelta(hours=1), sweep_answers)
"""What the ground floors repeat: answers kept for `Idempotency-Key` are deleted after a day."""


def compose(
    settings: Settings,
    features: Sequence[Feature],
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
) -> Runtime:
    """Return the runtime of a process with these features; nothing is opened yet.

    Raises:
        UnknownSettings: a `PORTICO_*` name or a key that no enabled feature knows.
        UnsafeSettings: production with a combination that is not safe; every fault is named.
        SecretMissing: no root secret outside development.
    """
    complete = settings.with_sections(sections_of(features))
    refuse_unknown_settings(complete)
    refuse_unsafe_settings(complete)
    _refuse_unreadable_limits(complete)
    entropy = entropy or SystemEntropy()
    runtime = Runtime(
        settings=complete,
        secret=load_root_secret(complete, entropy),
        database=Database.from_settings(complete),
        clock=clock or SystemClock(),
        entropy=entropy,
    )
    runtime.provide(FeatureSet, FeatureSet(tuple(features)))
    runtime.provide(
        EventBus, EventBus(runtime, [heard for feature in features for heard in feature.subscribers])
    )
    return runtime


def sections_of(features: Sequence[Feature]) -> dict[str, type[FeatureSettings]]:
    """Return the settings that features declare, by the names under which they are read."""
    return {feature.name: feature.settings for feature in features if feature.settings is not None}


def _refuse_unreadable_limits(settings: Settings) -> None:
    """Refuse at once what the edge would stumble over at its start."""
    limits = settings.rate_limit
    written = {"SIGN_IN": limits.sign_in, "WRITE": limits.write, "READ": limits.read}
    written |= {f"ROUTES__{route}": text for route, text in limits.routes.items()}
    faults = []
    for name, text in written.items():
        try:
            parse_windows(text)
        except ValueError as error:
            faults.append(SettingFault(f"PORTICO_RATE_LIMIT__{name}", str(error)))
    if faults:
        raise UnsafeSettings(settings.environment, faults)


def chains_of(features: Sequence[Feature]) -> list[Chain]:
    """Return the migration chains: Portico's first, then those of the team's features."""
    own = [team_chain(feature.name, feature.migrations) for feature in features if feature.migrations]
    return [portico_chain(), *own]


def migrator_of(settings: Settings, features: Sequence[Feature]) -> "Migrator":
    """Return the migrator for the application's database, connecting as the owner of the tables."""
    from portico.db.migrator import Migrator  # Alembic is heavy, and a server does without it

    return Migrator(database_url(settings, owner=True), chains_of(features))


async def check_schema(runtime: Runtime) -> None:
    """Compare the database with the migrations of this release.

    Raises:
        SchemaBehind, SchemaAhead: they differ.
    """
    async with runtime.database.reader.connect() as connection:
        for chain in chains_of(runtime.get(FeatureSet).features):
            await check_chain(connection, chain)


@asynccontextmanager
async def opened(runtime: Runtime, *, follows: bool = True) -> AsyncIterator[Runtime]:
    """Fill the ports and enter coordination and the features' lifespans, lowest floor first; leave in reverse.

    A command that believes no cache (`follows=False`) does not follow the revocation log, so nobody waits for it.
    """
    features = runtime.get(FeatureSet).features
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runtime.database.close)
        for feature in features:
            for port, fill in feature.ports.items():
                runtime.provide(port, fill(runtime))
        await stack.enter_async_context(coordination_lifespan(runtime, follows=follows))
        for feature in features:
            if feature.lifespan is not None:
                await stack.enter_async_context(feature.lifespan(runtime))
        yield runtime


@asynccontextmanager
async def started(runtime: Runtime) -> AsyncIterator[Runtime]:
    """Open the runtime of a server or worker and run its periodic works as long as it lives.

    Raises:
        SchemaBehind, SchemaAhead: the database does not fit this release.
    """
    features = runtime.get(FeatureSet).features
    await check_schema(runtime)
    async with opened(runtime):
        works = [GROUND_WORK, *(work for feature in features for work in feature.periodics)]
        runner = PeriodicRunner(runtime, works)
        runtime.provide(PeriodicRunner, runner)
        runner.start()
        try:
            yield runtime
        finally:
            await runner.stop()
