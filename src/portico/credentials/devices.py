"""The device cookie: proof that a person signed in on this device before (OWASP, "device cookies"). Pure, no I/O.

    v1.<device id>.<mac>~<mac>…

One id for the device and one MAC for each person who signed in on it, the last first. It lets nobody in: it only gives
the device guesses of its own, so that strangers cannot lock its owner out.
"""

from uuid import UUID

from portico.core.crypto import RootSecret, b64decode, b64encode
from portico.core.ids import UserId

VERSION = "v1"
MOST_PEOPLE = 5
LONGEST_COOKIE = 400
MAC_BYTES = 16
MAC_KEY = "credentials.device-cookie"


def device_known_to(secret: RootSecret, cookie: str | None, user_id: UserId) -> UUID | None:
    """Return the id of the device if `user_id` signed in on it before, else None; any garbage is None."""
    device_id, macs = _read(cookie)
    if device_id is None:
        return None
    return device_id if any(_is_of(secret, mac, device_id, user_id) for mac in macs) else None


def device_cookie(
    secret: RootSecret, cookie: str | None, user_id: UserId, fresh_id: UUID
) -> tuple[UUID, str]:
    """Return the device's id and its cookie after `user_id` signed in; `fresh_id` is used where it has none yet."""
    device_id, macs = _read(cookie)
    if device_id is None:
        device_id, macs = fresh_id, []
    own = secret.mac(MAC_KEY, device_id.bytes + user_id.bytes)[:MAC_BYTES]
    others = [mac for mac in macs if not _is_of(secret, mac, device_id, user_id)]
    kept = [own, *others][:MOST_PEOPLE]
    return device_id, f"{VERSION}.{b64encode(device_id.bytes)}.{'~'.join(map(b64encode, kept))}"


def _read(cookie: str | None) -> tuple[UUID | None, list[bytes]]:
    if not cookie or len(cookie) > LONGEST_COOKIE:
        return None, []
    try:
        version, device_id, macs = cookie.split(".")
        parsed = UUID(bytes=b64decode(device_id)), [b64decode(mac) for mac in macs.split("~")][:MOST_PEOPLE]
    except ValueError:
        return None, []
    return parsed if version == VERSION else (None, [])


def _is_of(secret: RootSecret, mac: bytes, device_id: UUID, user_id: UserId) -> bool:
    return secret.is_mac(MAC_KEY, device_id.bytes + user_id.bytes, mac, length=MAC_BYTES)
