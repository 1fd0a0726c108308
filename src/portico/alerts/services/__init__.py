"""What alerts do: follow the trail, raise, mail, and let people deal with what was raised."""

from portico.alerts.services.following import Following, group_key
from portico.alerts.services.handling import EVERYWHERE, Alerts
from portico.alerts.services.mailing import country_name

__all__ = ["EVERYWHERE", "Alerts", "Following", "country_name", "group_key"]
