"""The last look at an address before it goes into a header and an SMTP command.

`portico.users` decides which addresses people may have; here everything is refused that a mail server could read
as another address, as two, or as a command: quotes, comments, lists, control characters, address literals.
"""

import re

from portico.mail.errors import AddressRefused

LONGEST_ADDRESS = 320
LONGEST_LOCAL_PART = 64
LONGEST_DOMAIN = 253

_LOCAL_PART = re.compile(r"[^\s\x00-\x20\x7f\"(),:;<>@\[\\\]]+")
_DOMAIN = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


def single_address(text: str) -> str:
    """Return the one address in `text`, its domain as the DNS spells it (RFC 5890, section 2.3.2.1).

    Raises:
        AddressRefused: anything but one plain address (422).
    """
    local, at, domain = text.partition("@")
    if not at or len(text) > LONGEST_ADDRESS or not text.isprintable():
        raise AddressRefused
    domain = _ascii_domain(domain)
    if not _LOCAL_PART.fullmatch(local) or len(local.encode()) > LONGEST_LOCAL_PART:
        raise AddressRefused
    if not _DOMAIN.fullmatch(domain) or len(domain) > LONGEST_DOMAIN:
        raise AddressRefused
    if local.startswith(".") or local.endswith(".") or ".." in local:
        raise AddressRefused
    return f"{local}@{domain}"


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain
    import idna  # 10 ms, and only for international domains

    try:
        return idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise AddressRefused from None
