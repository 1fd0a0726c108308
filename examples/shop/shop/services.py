"""What the shop does."""

from uuid import UUID

from portico.audit.services import record
from portico.core.ids import PrincipalId, UserId
from portico.db import Unit
from portico.http.authentication import Principal
from portico.messaging import EventBus
from portico.runtime import Runtime
from shop.errors import OrderClosed, TooManyOpenOrders
from shop.events import OrderPlaced
from shop.models import Order
from shop.repositories import OrderRepository
from shop.schemas import NewOrder, OrderList, OrderView
from shop.settings import ShopSettings
from shop.types import OrderStatus


class Orders:
    """Places, lists and ships orders."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._settings = runtime.section(ShopSettings)

    async def place_order(self, user_id: PrincipalId, new: NewOrder) -> OrderView:
        """Write the order and announce `OrderPlaced`, in one transaction.

        Raises:
            TooManyOpenOrders: the person has as many as the shop allows (409).
        """
        now = self._runtime.clock.now()
        async with self._unit:
            orders = OrderRepository(self._unit.session)
            if await orders.count_open(user_id) >= self._settings.max_open_orders:
                raise TooManyOpenOrders
            order = orders.add(
                Order(
                    user_id=user_id,
                    product=new.product,
                    quantity=new.quantity,
                    status=OrderStatus.OPEN,
                    created_at=now,
                    updated_at=now,
                )
            )
            await orders.flush()
            event = OrderPlaced(
                at=now,
                order_id=order.id,
                user_id=UserId(user_id),
                product=new.product,
                quantity=new.quantity,
            )
            await self._runtime.get(EventBus).emit(event, self._unit)
            return OrderView.model_validate(order)

    async def list_orders(self, user_id: PrincipalId) -> OrderList:
        """Return a person's orders, newest first."""
        async with self._runtime.reads() as session:
            orders = await OrderRepository(session).list_of(user_id)
        return OrderList(data=[OrderView.model_validate(order) for order in orders])

    async def ship_order(self, order_id: UUID, *, actor: Principal) -> OrderView:
        """Note that an order left the house; the act stands on the audit trail.

        Raises:
            OrderNotFound: there is none (404).
            OrderClosed: shipped or cancelled already (409).
        """
        async with self._unit:
            order = await OrderRepository(self._unit.session).get_order(order_id)
            if order.status is not OrderStatus.OPEN:
                raise OrderClosed
            order.status, order.updated_at = OrderStatus.SHIPPED, self._runtime.clock.now()
            record(self._runtime, self._unit, "order.shipped", actor=actor, subject=("order", order.id))
            return OrderView.model_validate(order)
