"""Typed events and who hears them; later the outbox, jobs and schedules.

An event is announced by the feature below; features above subscribe. Subscribers run in the transaction of the act
and may veto it by raising.
"""

from portico.messaging.bus import EventBus, Subscription, on
from portico.messaging.events import Event
from portico.messaging.periodic import Periodic

__all__ = ["Event", "EventBus", "Periodic", "Subscription", "on"]
