"""The base of every event, and how it is stored.

An event is stored as JSON under its name and version, so that another release can read it: fields that it does not
know are passed over, fields that it adds need a default. A change that this does not cover makes a new version; the
old class stays, with an `upgrade` to the new one.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from portico.core.ids import new_id
from portico.messaging.errors import PayloadInvalid, UnknownEvent

ENVELOPE = ("id", "at")
"""The fields that are stored beside the payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, in the past tense: `name` is dotted (`user.created`), `version` its shape.

    Handlers are idempotent by `id`. One that `is_internal` is heard in the act's transaction only and never stored.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    is_internal: ClassVar[bool] = False
    registry: ClassVar[dict[tuple[str, int], type["Event"]]] = {}

    id: UUID = field(default_factory=new_id)
    at: datetime

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Called a second time for the slotted copy that `dataclass(slots=True)` makes; the copy wins.
        super(Event, cls).__init_subclass__(**kwargs)
        if "name" in cls.__dict__:
            Event.registry[cls.name, cls.version] = cls

    def payload(self) -> dict[str, Any]:
        """Return the event's own fields, ready for JSON."""
        fields: dict[str, Any] = _adapter(type(self)).dump_python(self, mode="json")
        for name in ENVELOPE:
            del fields[name]
        return fields

    def upgrade(self) -> "Event":
        """Return the same event in the next version; the newest one is itself."""
        return self


def restore_event(name: str, version: int, event_id: UUID, at: datetime, payload: dict[str, Any]) -> Event:
    """Return a stored event in its newest version.

    Raises:
        UnknownEvent: this release does not know it.
        PayloadInvalid: the payload does not fit.
    """
    kind = Event.registry.get((name, version))
    if kind is None:
        raise UnknownEvent(f"{name} v{version}")
    try:
        event: Event = _adapter(kind).validate_python({**payload, "id": event_id, "at": at})
    except ValidationError as error:
        raise PayloadInvalid(faults_of(error)) from None
    while (newer := event.upgrade()) is not event:
        event = newer
    return event


def faults_of(error: ValidationError) -> str:
    """Return what is wrong by field, without the values, which may be anybody's data."""
    faults = error.errors(include_input=False, include_url=False)
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)


_adapters: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type[Event]) -> TypeAdapter[Any]:
    known = _adapters.get(kind)
    if known is None:
        known = _adapters[kind] = TypeAdapter(kind)
    return known
