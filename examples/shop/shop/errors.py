"""What can go wrong in the shop."""

from portico.core.errors import Conflict, NotFound


class OrderNotFound(NotFound):
    """There is no such order."""

    code, title = "order_not_found", "There is no such order"


class OrderClosed(Conflict):
    """The order is shipped or cancelled already."""

    code, title = "order_closed", "This order is closed"


class TooManyOpenOrders(Conflict):
    """The person has as many open orders as the shop allows."""

    code, title = "too_many_open_orders", "You have too many open orders"
