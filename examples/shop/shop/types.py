"""Words of the shop."""

from enum import StrEnum


class OrderStatus(StrEnum):
    """Where an order stands."""

    OPEN = "open"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"
