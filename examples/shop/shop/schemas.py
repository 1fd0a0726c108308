"""What the shop's routes take and answer."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from portico.http.schemas import RequestModel, ResponseModel
from shop.types import OrderStatus


class NewOrder(RequestModel):
    """What to order."""

    product: str = Field(min_length=1, max_length=100)
    quantity: int = Field(1, ge=1, le=100)


class OrderView(ResponseModel):
    """One order."""

    id: UUID
    product: str
    quantity: int
    status: OrderStatus
    created_at: datetime


class OrderList(ResponseModel):
    """The caller's orders, newest first."""

    data: list[OrderView]
