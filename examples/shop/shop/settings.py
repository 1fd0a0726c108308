"""The shop's settings, read as `PORTICO_SHOP__*` or from `[shop]` in `portico.toml`."""

from datetime import timedelta

from pydantic import Field

from portico.core.settings import FeatureSettings


class ShopSettings(FeatureSettings):
    """What the shop sells in, and how much."""

    currency: str = Field("EUR", min_length=3, max_length=3)
    """What prices are in (ISO 4217)."""
    max_open_orders: int = Field(10, ge=1, le=1000)
    """How many orders one person may have that are not shipped yet."""
    close_after: timedelta = timedelta(days=60)
    """How long an order waits for its shipping before it is cancelled."""
