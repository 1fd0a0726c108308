"""Rights in the shop."""

from portico.core.permissions import Permission


class ShopPermission(Permission):
    """What has the resource `self` everybody may do who is signed in; the rest is for superusers."""

    PLACE_ORDER = "shop:self:place_order"
    LIST_ORDERS = "shop:self:list_orders"
    SHIP = "shop:order:ship"
