"""The shop's API, mounted under `/api/v1`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from portico.http.access import requires
from portico.http.dependencies import PrincipalDep, service
from portico.http.problems import describes
from shop.errors import OrderClosed, OrderNotFound, TooManyOpenOrders
from shop.permissions import ShopPermission
from shop.schemas import NewOrder, OrderList, OrderView
from shop.services import Orders

router = APIRouter(prefix="/orders", tags=["shop"])
OrdersDep = Annotated[Orders, Depends(service(Orders))]


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(requires(ShopPermission.PLACE_ORDER))],
    responses=describes(TooManyOpenOrders),
    summary="Place an order",
)
async def place_order(new: NewOrder, principal: PrincipalDep, orders: OrdersDep) -> OrderView:
    """Order something; with an `Idempotency-Key` a repeated request places it once."""
    return await orders.place_order(principal.id, new)


@router.get("", dependencies=[Depends(requires(ShopPermission.LIST_ORDERS))], summary="List your orders")
async def list_orders(principal: PrincipalDep, orders: OrdersDep) -> OrderList:
    """Return the caller's own orders, newest first."""
    return await orders.list_orders(principal.id)


@router.post(
    "/{order_id}/ship",
    dependencies=[Depends(requires(ShopPermission.SHIP))],
    responses=describes(OrderNotFound, OrderClosed),
    summary="Ship an order",
)
async def ship_order(order_id: UUID, principal: PrincipalDep, orders: OrdersDep) -> OrderView:
    """Note that an order left the house; for superusers."""
    return await orders.ship_order(order_id, actor=principal)
