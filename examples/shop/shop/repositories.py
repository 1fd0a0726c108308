"""The shop's SQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, update

from portico.db import Repository
from shop.errors import OrderNotFound
from shop.models import Order
from shop.types import OrderStatus


class OrderRepository(Repository[Order]):
    """The orders."""

    async def get_order(self, order_id: UUID) -> Order:
        """Return one order.

        Raises:
            OrderNotFound: there is none (404).
        """
        order = await self.session.get(Order, order_id)
        if order is None:
            raise OrderNotFound
        return order

    async def list_of(self, user_id: UUID) -> Sequence[Order]:
        """Return a person's orders, newest first."""
        return (
            await self.session.scalars(
                select(Order).where(Order.user_id == user_id).order_by(Order.id.desc())
            )
        ).all()

    async def count_open(self, user_id: UUID) -> int:
        """Count a person's open orders."""
        query = select(func.count()).where(Order.user_id == user_id, Order.status == OrderStatus.OPEN)
        return await self.session.scalar(query) or 0

    async def count_of(self, user_id: UUID) -> int:
        """Count all orders of a person."""
        return await self.session.scalar(select(func.count()).where(Order.user_id == user_id)) or 0

    async def cancel_older_than(self, before: datetime, now: datetime) -> None:
        """Cancel open orders that were placed before then."""
        await self.session.execute(
            update(Order)
            .where(Order.created_at < before, Order.status == OrderStatus.OPEN)
            .values(status=OrderStatus.CANCELLED, updated_at=now)
        )

    async def cancel_open(self, user_id: UUID, now: datetime) -> None:
        """Cancel a person's open orders."""
        await self.session.execute(
            update(Order)
            .where(Order.user_id == user_id, Order.status == OrderStatus.OPEN)
            .values(status=OrderStatus.CANCELLED, updated_at=now)
        )

    async def erase_of(self, user_id: UUID) -> None:
        """Delete a person's orders."""
        await self.session.execute(delete(Order).where(Order.user_id == user_id))
