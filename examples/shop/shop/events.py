"""What happens in the shop."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from portico.core.ids import UserId
from portico.messaging import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced(Event):
    """A person has ordered something."""

    name: ClassVar[str] = "order.placed"

    order_id: UUID
    user_id: UserId
    product: str
    quantity: int
