"""Where an address is, as far as a local database tells: "Bern, Switzerland".

A small port, so that a team may put its own source in place. No address leaves the machine.
"""

import ipaddress
import re
from pathlib import Path
from typing import Any, Protocol

import structlog

MAX_PLACE = 120
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
log = structlog.get_logger("portico.sessions")


class Places(Protocol):
    """Knows the place of an address, or does not; quick, never raises."""

    def place_of(self, address: str | None) -> str | None:
        """Return a place of at most 120 characters in English, or None."""
        ...

    def country_of(self, address: str | None) -> str | None:
        """Return the two letters of its country (ISO 3166-1), or None."""
        ...


class NoPlaces:
    """The default: no place is known."""

    def place_of(self, address: str | None) -> str | None:
        """Return None."""
        return None

    def country_of(self, address: str | None) -> str | None:
        """Return None."""
        return None


class GeoIpPlaces:
    """Looks places up in a MaxMind city database in memory (about 20 µs)."""

    def __init__(self, path: Path) -> None:
        """Open the database.

        Raises:
            ImportError: the extra `geoip` is not installed.
            OSError, ValueError, RuntimeError: the file is missing or no such database.
        """
        import maxminddb

        self._reader = maxminddb.open_database(path)

    def place_of(self, address: str | None) -> str | None:
        """Return `City, Country`, or what of it is known."""
        return _named(self._found(address))

    def country_of(self, address: str | None) -> str | None:
        """Return what the database calls the country's ISO code."""
        found = self._found(address)
        country = found.get("country") if isinstance(found, dict) else None
        code = country.get("iso_code") if isinstance(country, dict) else None
        return code if isinstance(code, str) and _COUNTRY.fullmatch(code) else None

    def _found(self, address: str | None) -> Any:
        try:
            return self._reader.get(ipaddress.ip_address(address or ""))
        except Exception:  # noqa: BLE001 - a damaged record must not keep anybody from signing in
            return None


def _named(found: Any) -> str | None:
    if not isinstance(found, dict):
        return None
    names = (((found.get(part) or {}).get("names") or {}).get("en") for part in ("city", "country"))
    return ", ".join(name for name in names if isinstance(name, str))[:MAX_PLACE] or None


def places_from(path: Path | None) -> Places:
    """Return the places of the configured database; one that cannot be opened is reported and left out."""
    if path is None:
        return NoPlaces()
    try:
        return GeoIpPlaces(path)
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        log.warning("geoip_database_unusable", path=str(path), error=repr(error))
        return NoPlaces()
