"""What the shop adds to Portico, in one place."""

from portico.feature import Feature, PersonalData
from portico.messaging import on
from portico.users.events import UserDeleted
from shop.events import OrderPlaced
from shop.permissions import ShopPermission
from shop.routes import router
from shop.settings import ShopSettings
from shop.subscribers import cancel_open_orders, confirm_order, erase_orders, export_orders


def shop_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="shop",
        routers=[router],
        subscribers=[on(OrderPlaced, confirm_order), on(UserDeleted, cancel_open_orders)],
        permissions=ShopPermission,
        settings=ShopSettings,
        personal_data=[PersonalData("orders", export=export_orders, erase=erase_orders)],
        templates="shop",
        migrations="shop.migrations",
    )
