"""Delivers an event to its subscribers inside the transaction that caused it."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from portico.db.unit import Unit
from portico.messaging.events import Event
from portico.runtime import Runtime

type Handler[E: Event] = Callable[[E, Unit, Runtime], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    """That `handler` hears `event`."""

    event: type[Event]
    handler: Handler[Any]


def on[E: Event](event: type[E], handler: Handler[E]) -> Subscription:
    """Subscribe `handler` to `event`, in the act's own transaction; it must be quick and may veto by raising."""
    return Subscription(event, handler)


class EventBus:
    """Knows who hears what; one a process."""

    def __init__(self, runtime: Runtime, subscriptions: Iterable[Subscription]) -> None:
        self._runtime = runtime
        self._handlers: dict[type[Event], list[Handler[Any]]] = {}
        for subscription in subscriptions:
            self._handlers.setdefault(subscription.event, []).append(subscription.handler)

    async def emit(self, event: Event, unit: Unit) -> None:
        """Tell every subscriber, in the order of declaration, inside `unit`'s transaction."""
        for handler in self._handlers.get(type(event), ()):
            await handler(event, unit, self._runtime)
