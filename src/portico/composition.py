"""Puts a process together from a list of features, whichever they are.

`compose` makes the runtime without touching anything outside; `started` brings it to life and takes it down again:
schema checked, coordination, ports, each feature's lifespan, periodic work. HTTP, worker and command line use both.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

from portico.coordination.counters import parse_windows
from portico.coordination.lifespan import coordination_lifespan
from portico.coordination.wakeups import Wakeups
from portico.core.clock import Clock, SystemClock
from portico.core.entropy import Entropy, SystemEntropy
from portico.core.metrics import Metrics
from portico.core.root_secret import load_root_secret
from portico.core.safety import SettingFault, UnsafeSettings, refuse_unsafe_settings
from portico.core.settings import FeatureSettings, Settings
from portico.core.settings_sources import refuse_unknown_settings
from portico.db.chains import Chain, check_chain, portico_chain, team_chain
from portico.db.database import Database, database_url
from portico.db.privileges import application_role
from portico.feature import Feature, FeatureSet
from portico.http.idempotency import sweep_answers
from portico.messaging import EventBus, Jobs, Periodic, Schedule
from portico.messaging.celery.announcer import announce_due_jobs, announcing
from portico.messaging.execution import recover_lost
from portico.messaging.jobs import JobRegistry
from portico.messaging.periodic import PeriodicRunner
from portico.messaging.publishing.publisher import publish_due_events, publishing
from portico.messaging.relay import relay_events
from portico.messaging.runner import BEATS_A_LEASE, JOBS, JobRunner
from portico.messaging.schedules import Scheduler, make_due_ticks
from portico.messaging.sweeps import sweep_jobs, sweep_outbox
from portico.messaging.wake import ANNOUNCE, PUBLISH, RELAY, Wake
from portico.outbound import Outbound
from portico.runtime import Runtime

if TYPE_CHECKING:
    from portico.db.migrator import Migrator

HOURLY = timedelta(hours=1)
GROUND_SCHEDULES = (
    Schedule(sweep_answers, every=HOURLY),
    Schedule(sweep_outbox, every=HOURLY),
    Schedule(sweep_jobs, every=HOURLY),
)
"""What the ground floors do now and then: forget answers kept for `Idempotency-Key`, events and jobs."""
TICK = timedelta(seconds=1)
GRACE = timedelta(seconds=10)
"""How long jobs under way may take to end when a server stops."""


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
    runtime.provide(Metrics, Metrics())
    _provide_messaging(runtime, features)
    return runtime


def _provide_messaging(runtime: Runtime, features: Sequence[Feature]) -> None:
    bus = EventBus(
        runtime,
        [heard for feature in features for heard in feature.subscribers],
        [tap for feature in features for tap in feature.taps],
    )
    schedules = [*GROUND_SCHEDULES, *(schedule for feature in features for schedule in feature.schedules)]
    jobs = [job for feature in features for job in feature.jobs]
    runtime.provide(EventBus, bus)
    runtime.provide(
        JobRegistry, JobRegistry([*jobs, *(schedule.job for schedule in schedules), *bus.later_jobs])
    )
    runtime.provide(Jobs, Jobs(runtime))
    runtime.provide(Wake, Wake(runtime))
    runtime.provide(Scheduler, Scheduler(runtime, schedules))


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
    """Return the migrator for the application's database, which connects as the owner and grants the application."""
    from portico.db.migrator import Migrator  # Alembic is heavy, and a server does without it

    return Migrator(database_url(settings, owner=True), chains_of(features), application_role(settings))


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
        outbound = Outbound(runtime.settings.outbound)
        runtime.provide(Outbound, outbound)
        stack.push_async_callback(outbound.close)
        for feature in features:
            for port, fill in feature.ports.items():
                runtime.provide(port, fill(runtime))
        await stack.enter_async_context(coordination_lifespan(runtime, follows=follows))
        for feature in features:
            if feature.lifespan is not None:
                await stack.enter_async_context(feature.lifespan(runtime))
        yield runtime


@asynccontextmanager
async def started(
    runtime: Runtime,
    *,
    runs_jobs: bool | None = None,
    relays: bool = True,
    slots: Mapping[str, int] | None = None,
    grace: timedelta = GRACE,
) -> AsyncIterator[Runtime]:
    """Open the runtime of a server or worker and let it work as long as it lives.

    Every such process does the periodic works of its features. One that `relays` also relays events, makes ticks,
    recovers lost jobs and tells the brokers. It does jobs if `runs_jobs`, by default as the settings say, in `slots`
    by queue; those under way at the end have `grace`.

    Raises:
        SchemaBehind, SchemaAhead: the database does not fit this release.
    """
    await check_schema(runtime)
    does = does_jobs(runtime.settings) if runs_jobs is None else runs_jobs
    async with opened(runtime), announcing(runtime), publishing(runtime):
        runs = _jobs_done(runtime, slots, grace) if does else nullcontext()
        async with runs, _periodics_run(runtime, relays=relays):
            yield runtime


@asynccontextmanager
async def _periodics_run(runtime: Runtime, *, relays: bool) -> AsyncIterator[None]:
    works = _messaging_works(runtime) if relays else []
    runner = PeriodicRunner(runtime, [*works, *_works_of_features(runtime)])
    runtime.provide(PeriodicRunner, runner)
    if relays and (wakeups := runtime.find(Wakeups)) is not None:
        wakeups.listen(RELAY, lambda: runner.wake(RELAY))
        wakeups.listen(RELAY, lambda: runner.wake(PUBLISH))
        wakeups.listen(JOBS, lambda: runner.wake(ANNOUNCE))
    runner.start()
    try:
        yield
    finally:
        await runner.stop()


@asynccontextmanager
async def _jobs_done(
    runtime: Runtime, slots: Mapping[str, int] | None, grace: timedelta
) -> AsyncIterator[None]:
    runner = JobRunner(runtime, slots)
    runtime.provide(JobRunner, runner)
    runner.start()
    try:
        yield
    finally:
        await runner.stop(grace)


def does_jobs(settings: Settings) -> bool:
    """Tell whether server processes do jobs themselves."""
    jobs = settings.jobs
    return jobs.broker_url is None if jobs.embedded is None else jobs.embedded


def _messaging_works(runtime: Runtime) -> list[Periodic]:
    jobs = runtime.settings.jobs
    works = [
        Periodic(RELAY, jobs.poll, relay_events),
        Periodic("schedules", TICK, make_due_ticks),
        Periodic("jobs.recover_lost", jobs.lease / BEATS_A_LEASE, recover_lost),
    ]
    if jobs.broker_url is not None:
        works.append(Periodic(ANNOUNCE, jobs.poll, announce_due_jobs))
    if runtime.settings.events.broker_url is not None:
        works.append(Periodic(PUBLISH, jobs.poll, publish_due_events))
    return works


def _works_of_features(runtime: Runtime) -> list[Periodic]:
    return [work for feature in runtime.get(FeatureSet).features for work in feature.periodics]
