"""Times as a person reads them: in his language and his time zone."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

REGIONS = (
    "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific",
)  # fmt: skip


def day(value: datetime, language: str, timezone: str = "UTC") -> str:
    """Return the date: "November 20, 2026"."""
    from babel.dates import format_date  # 30 ms that the first page does not need

    return format_date(value.astimezone(zone(timezone)).date(), "long", locale=language)


def clock(value: datetime, language: str, timezone: str = "UTC") -> str:
    """Return the time of day with its zone: "2:32 PM UTC"."""
    from babel.dates import format_time

    local = value.astimezone(zone(timezone))
    return f"{format_time(local, 'short', locale=language)} {local.tzname()}"


def ago(value: datetime, now: datetime, language: str) -> str:
    """Return how long it has been: "5 minutes ago"; the last minute is now."""
    from babel.dates import format_timedelta

    passed = max(now - value, timedelta(seconds=1))
    return format_timedelta(-passed, granularity="minute", add_direction=True, locale=language)


def zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name; UTC for a name that is not known."""
    return ZoneInfo(name) if name in _known_zones() else UTC


@lru_cache(maxsize=1)
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=1)
def zones() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the time zones that people live in, by region: `("Europe", ("Europe/Berlin", …))`."""
    names = sorted(_known_zones())
    return tuple((region, tuple(n for n in names if n.startswith(f"{region}/"))) for region in REGIONS)
