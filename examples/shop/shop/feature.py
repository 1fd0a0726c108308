"""What the shop adds to Portico, in one place."""

from portico.feature import Feature, PersonalData
from portico.messaging import Schedule, after, on
from portico.users.events import UserDeleted
from shop.events import OrderPlaced
from shop.jobs import close_stale_orders, thank_regulars
from shop.permissions import ShopPermission
from shop.routes import router
from shop.settings import ShopSettings
from shop.subscribers import cancel_open_orders, confirm_order, erase_orders, export_orders


def shop_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="shop",
        routers=[router],
        subscribers=[
            on(OrderPlaced, confirm_order),
            after(OrderPlaced, "shop.thank_regulars", thank_regulars),
            on(UserDeleted, cancel_open_orders),
        ],
        schedules=[Schedule(close_stale_orders, cron="30 3 * * *")],
        permissions=ShopPermission,
        settings=ShopSettings,
        personal_data=[PersonalData("orders", export=export_orders, erase=erase_orders)],
        templates="shop",
        migrations="shop.migrations",
    )
