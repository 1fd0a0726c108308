"""Delivers an event: to subscribers inside the transaction that caused it, and into the outbox for those after it."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from portico.core.context import current_asker
from portico.db.unit import Unit
from portico.messaging.errors import PayloadInvalid
from portico.messaging.events import Event, restore_event
from portico.messaging.jobs import DEFAULT_QUEUE, Job
from portico.messaging.pending import pending_of
from portico.messaging.runs import JobRun
from portico.messaging.types import Backoff, OutboxEvent
from portico.runtime import Runtime

type Handler[E: Event] = Callable[[E, Unit, Runtime], Awaitable[None]]
type LaterHandler[E: Event] = Callable[[E, JobRun], Awaitable[None]]
type Tap = Callable[[Sequence[OutboxEvent], Unit, Runtime], Awaitable[None]]
"""Hears of every batch of committed events, inside the transaction of their fan-out: what it writes happens once."""

PREFIX = "on:"
"""What the names of jobs begin with that tell a subscriber of an event."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """That `handler` hears `event` in the act's transaction."""

    event: type[Event]
    handler: Handler[Any]


@dataclass(frozen=True, slots=True)
class LaterSubscription:
    """That `job` hears `event` after the commit."""

    event: type[Event]
    job: Job[...]


def on[E: Event](event: type[E], handler: Handler[E]) -> Subscription:
    """Subscribe `handler` to `event`, in the act's own transaction; it must be quick and may veto by raising."""
    return Subscription(event, handler)


def after[E: Event](
    event: type[E],
    name: str,
    handler: LaterHandler[E],
    *,
    queue: str = DEFAULT_QUEUE,
    attempts: int = 15,
    time_limit: timedelta = timedelta(minutes=5),
    backoff: Backoff | None = None,
) -> LaterSubscription:
    """Subscribe `handler` to `event`, after its commit, as a job of its own called `on:<name>`.

    It is called at least once, and is harmless when called twice with the same `event.id`; what it writes through
    `run.unit()` is written once. `name` stays as it is when the function is renamed.
    """
    return LaterSubscription(
        event,
        EventJob(
            name=PREFIX + name,
            handler=handler,  # type: ignore[arg-type]  # called as a handler of events, by `run` below
            queue=queue,
            attempts=attempts,
            time_limit=time_limit,
            backoff=backoff or Backoff(),
        ),
    )


class EventJob(Job[...]):
    """A job whose argument is an event."""

    __slots__ = ()

    def encode_event(self, event: OutboxEvent) -> dict[str, Any]:
        """Return the arguments that tell of `event`."""
        return {
            "id": str(event.id),
            "name": event.name,
            "version": event.version,
            "at": event.occurred_at.isoformat(),
            "payload": event.payload,
        }

    def decode(self, arguments: Any) -> dict[str, Any]:
        """Return the event, in the version of today.

        Raises:
            UnknownEvent: this release does not know it.
            PayloadInvalid: it does not fit.
        """
        try:
            known = [arguments[name] for name in ("name", "version", "id", "at", "payload")]
        except (KeyError, TypeError):
            raise PayloadInvalid("not an event") from None
        return {"event": restore_event(*known)}

    async def run(self, run: JobRun, arguments: Any) -> None:
        """Call the subscriber."""
        handler: LaterHandler[Any] = self.handler
        await handler(self.decode(arguments)["event"], run)


class EventBus:
    """Knows who hears what; one a process."""

    def __init__(
        self,
        runtime: Runtime,
        subscriptions: Iterable[Subscription | LaterSubscription],
        taps: Iterable[Tap] = (),
    ) -> None:
        self._runtime = runtime
        self._handlers: dict[type[Event], list[Handler[Any]]] = {}
        self._later: dict[str, list[EventJob]] = {}
        self._publishes = runtime.settings.events.broker_url is not None
        self.taps = tuple(taps)
        for subscription in subscriptions:
            if isinstance(subscription, Subscription):
                self._handlers.setdefault(subscription.event, []).append(subscription.handler)
            else:
                self._add_later(subscription)

    def _add_later(self, subscription: LaterSubscription) -> None:
        if subscription.event.is_internal:
            raise TypeError(f"{subscription.event.name} is heard in its transaction only")
        assert isinstance(subscription.job, EventJob)  # noqa: S101 - `after` made it
        self._later.setdefault(subscription.event.name, []).append(subscription.job)

    async def emit(self, event: Event, unit: Unit) -> None:
        """Tell every subscriber in `unit`'s transaction, in the order of declaration; the others hear of the commit."""
        for handler in self._handlers.get(type(event), ()):
            await handler(event, unit, self._runtime)
        if not event.is_internal:
            is_urgent = event.name in self._later
            pending_of(self._runtime, unit).add_event(self._row(event), is_urgent=is_urgent)

    def rehearse(self, event: Event, unit: Unit) -> None:
        """Do the writing of `emit` and tell nobody: for work inside a savepoint that is taken back unseen."""
        pending_of(self._runtime, unit).add_event(self._row(event), is_urgent=event.name in self._later)

    def later(self, name: str) -> Sequence[EventJob]:
        """Return the jobs that tell of events called `name`."""
        return self._later.get(name, ())

    @property
    def later_jobs(self) -> list[EventJob]:
        """Return the jobs of all subscribers after the commit."""
        return [job for jobs in self._later.values() for job in jobs]

    def _row(self, event: Event) -> dict[str, Any]:
        asker = current_asker()
        return {
            "id": event.id,
            "name": event.name,
            "version": event.version,
            "payload": event.payload(),
            "occurred_at": event.at,
            "publish_at": self._runtime.clock.now() if self._publishes else None,
            "principal_id": asker.principal_id if asker else None,
            "actor_id": asker.actor_id if asker else None,
        }
