"""The base of every event."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from portico.core.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, in the past tense: `name` is dotted (`user.created`), `version` its shape.

    Handlers are idempotent by `id`.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    registry: ClassVar[dict[tuple[str, int], type["Event"]]] = {}

    id: UUID = field(default_factory=new_id)
    at: datetime

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Called a second time for the slotted copy that `dataclass(slots=True)` makes; the copy wins.
        super(Event, cls).__init_subclass__(**kwargs)
        if "name" in cls.__dict__:
            Event.registry[cls.name, cls.version] = cls
