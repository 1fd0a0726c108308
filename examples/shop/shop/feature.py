"""What the shop adds to Portico, in one place."""

from portico.feature import Feature, PersonalData
from portico.messaging import on
from portico.users.events import UserDeleted
from shop.permissions import ShopPermission
from shop.routes import router
from shop.settings import ShopSettings
from shop.subscribers import cancel_open_orders, erase_orders, export_orders


def shop_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="shop",
        routers=[router],
        subscribers=[on(UserDeleted, cancel_open_orders)],
        permissions=ShopPermission,
        settings=ShopSettings,
        personal_data=[PersonalData("orders", export=export_orders, erase=erase_orders)],
        migrations="shop.migrations",
    )
