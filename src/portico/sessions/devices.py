"""A device's name as people know it: "Firefox on Linux", from what the browser says of itself.

The text comes from the client and is good for show only; nothing is decided by it.
"""

from functools import lru_cache

MAX_USER_AGENT = 300
MAX_NAME = 120
UNKNOWN = "Unknown device"


def bounded_user_agent(user_agent: str | None) -> str | None:
    """Return the first 300 characters without control characters; None where nothing is left."""
    if not user_agent:
        return None
    return "".join(c for c in user_agent[:MAX_USER_AGENT] if c.isprintable()).strip() or None


def device_name(user_agent: str | None) -> str:
    """Return a short name for the device; never raises, whatever the text."""
    bounded = bounded_user_agent(user_agent)
    return _named(bounded) if bounded else UNKNOWN


@lru_cache(maxsize=512)
def _named(user_agent: str) -> str:
    from ua_parser import parse  # its tables cost 90 ms and 5 MB, of no use to a worker where nobody signs in

    found = parse(user_agent)
    browser = found.user_agent.family if found.user_agent else None
    system = found.os.family if found.os else None
    if browser and system:
        return f"{browser} on {system}"[:MAX_NAME]
    return (browser or system or user_agent.split("/", maxsplit=1)[0].split(" ", maxsplit=1)[0] or UNKNOWN)[
        :MAX_NAME
    ]
