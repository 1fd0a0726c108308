"""Builds the message that leaves: headers, text and HTML parts, bytes.

The same row gives the same bytes at every attempt, so that a mail sent twice can be told to be one.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from urllib.parse import urlsplit
from uuid import UUID

from portico.core.settings import Settings
from portico.mail.addresses import single_address
from portico.mail.settings import MailSettings
from portico.mail.types import Content

HEADER_LIMIT = 200
"""Characters of a subject; longer ones are cut."""


@dataclass(frozen=True, slots=True, repr=False)
class OutgoingMail:
    """One message to exactly one recipient; `is_international` when an address needs SMTPUTF8 (RFC 6531)."""

    id: UUID
    sender: str
    recipient: str
    content: bytes
    is_international: bool


def mail_domain(settings: Settings) -> str:
    """Return the public host as a mail domain; `localhost` where it is only an address."""
    host = urlsplit(settings.public_url).hostname or "localhost"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.encode("idna").decode()
    return "localhost"


def message_id(row_id: UUID, settings: Settings) -> str:
    """Return the Message-ID of a row, the same at every attempt (RFC 5322, section 3.6.4)."""
    return f"<{row_id}@{mail_domain(settings)}>"


def sender_of(settings: Settings) -> Address:
    """Return the From of every mail."""
    given = settings.section(MailSettings).sender
    if given is None:
        return Address(_one_line(settings.name), "no-reply", mail_domain(settings))
    name, address = parseaddr(given)
    return _address(address, name)


def build_message(
    settings: Settings, *, row_id: UUID, identifier: str, to: str, content: Content, created_at: datetime
) -> OutgoingMail:
    """Return the message ready for a transport.

    Raises:
        AddressRefused: `to` is not exactly one address.
    """
    sender, recipient = sender_of(settings), _address(to)
    is_international = not (sender.addr_spec + recipient.addr_spec).isascii()
    message = EmailMessage(policy.SMTPUTF8 if is_international else policy.SMTP)
    message["From"] = sender
    message["To"] = recipient
    if (reply_to := settings.section(MailSettings).reply_to) is not None:
        name, address = parseaddr(reply_to)
        message["Reply-To"] = _address(address, name)
    message["Subject"] = _one_line(content.subject)
    message["Date"] = format_datetime(created_at)
    message["Message-ID"] = identifier
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5: no vacation notices, please
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(content.text, cte="quoted-printable")
    message.add_alternative(content.html, subtype="html", cte="quoted-printable")
    message.set_boundary(f"=_{row_id.hex}")
    return OutgoingMail(row_id, sender.addr_spec, recipient.addr_spec, message.as_bytes(), is_international)


def _address(text: str, name: str = "") -> Address:
    local, _, domain = single_address(text).partition("@")
    return Address(_one_line(name), local, domain)


def _one_line(text: str) -> str:
    """Return the text without line breaks and other control characters: it is data, never a second header."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[:HEADER_LIMIT]
