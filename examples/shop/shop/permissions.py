"""Rights in the shop."""

from portico.core.permissions import Permission


class ShopPermission(Permission):
    """`self` is what everybody may do for himself; `platform` is for administrators of the deployment."""

    PLACE_ORDER = "shop:self:place_order"
    LIST_ORDERS = "shop:self:list_orders"
    SHIP = "platform:order:ship"
