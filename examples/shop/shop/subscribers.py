"""What the shop does when something happens to a person, in the transaction in which it happens."""

from typing import Any

from portico.core.ids import UserId
from portico.db import DatabaseSession, Unit
from portico.mail.services import Mailer
from portico.runtime import Runtime
from portico.users.events import UserDeleted
from portico.users.services import Users
from shop.events import OrderPlaced
from shop.repositories import OrderRepository
from shop.schemas import OrderView


async def cancel_open_orders(event: UserDeleted, unit: Unit, _runtime: Runtime) -> None:
    """Cancel what is not shipped when an account is closed."""
    await OrderRepository(unit.session).cancel_open(event.user_id, event.at)


async def confirm_order(event: OrderPlaced, unit: Unit, runtime: Runtime) -> None:
    """Write the mail in the order's own transaction: no order, no mail."""
    person = await Users(runtime, unit).find_user(event.user_id)
    if person is None:
        return
    runtime.get(Mailer).enqueue(
        unit,
        template="order_placed",
        to=person.email,
        locale=person.locale,
        context={"name": person.full_name, "item": event.product, "quantity": event.quantity},
    )


async def export_orders(user_id: UserId, session: DatabaseSession) -> Any:
    """Return the person's orders for the export of his data."""
    orders = await OrderRepository(session).list_of(user_id)
    return [OrderView.model_validate(order).model_dump(mode="json") for order in orders]


async def erase_orders(user_id: UserId, unit: Unit, _runtime: Runtime) -> None:
    """Erase the person's orders with the person."""
    await OrderRepository(unit.session).erase_of(user_id)
