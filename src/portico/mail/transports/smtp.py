"""Mail by SMTP (RFC 5321), over TLS wherever it leaves the machine in earnest."""

import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTP

from portico.core.settings import Settings
from portico.mail.messages import OutgoingMail, mail_domain
from portico.mail.settings import MailSettings
from portico.mail.transports.base import Deferred, DeliveryFailure, Refused, TransportDown

SUBMISSION_PORT, SUBMISSION_TLS_PORT = 587, 465
CLOSING = 421
"""The server is about to close the channel: said to one message, meant for all (RFC 5321, section 3.8)."""
GOODBYE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """The server that takes our mail, and how it is spoken to."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    uses_tls: bool
    """TLS from the first byte (RFC 8314, section 3.3)."""
    starttls: bool | None
    """True: required. None: used if offered. False: not used."""
    timeout_seconds: float
    own_name: str
    ca_file: Path | None = None

    @property
    def is_plain(self) -> bool:
        """Tell whether nothing is encrypted, which is for this machine and for development only."""
        return not self.uses_tls and self.starttls is False

    @classmethod
    def from_settings(cls, settings: Settings, mail: MailSettings) -> "SmtpServer":
        """Read `smtp://…` or `smtps://…`; outside development a server elsewhere must speak STARTTLS."""
        parts = urlsplit(mail.url.get_secret_value() if mail.url else "")
        host, uses_tls = parts.hostname or "", parts.scheme == "smtps"
        return cls(
            host=host,
            port=parts.port or (SUBMISSION_TLS_PORT if uses_tls else SUBMISSION_PORT),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            uses_tls=uses_tls,
            starttls=_starttls(host, settings, uses_tls=uses_tls),
            timeout_seconds=mail.timeout.total_seconds(),
            own_name=mail_domain(settings),
            ca_file=mail.ca_file,
        )


def _starttls(host: str, settings: Settings, *, uses_tls: bool) -> bool | None:
    if uses_tls or is_loopback(host):
        return False
    return None if settings.is_development else True


def is_loopback(host: str) -> bool:
    """Tell whether the name means this machine, so that nobody can listen in between."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class SmtpTransport:
    """Sends each message over a connection of its own, so that one that hangs holds up no other."""

    def __init__(self, server: SmtpServer) -> None:
        self.server = server
        self._tls: ssl.SSLContext | None = None

    async def send(self, mail: OutgoingMail) -> None:
        """Hand one message to the server.

        Raises:
            TransportDown, Deferred, Refused: the server has not taken it.
        """
        options = ["SMTPUTF8", "BODY=8BITMIME"] if mail.is_international else []
        async with self._connected() as client:
            try:
                await client.sendmail(mail.sender, [mail.recipient], mail.content, mail_options=options)
            except (aiosmtplib.SMTPException, OSError, ValueError) as error:
                raise _failure(error) from error

    async def check(self) -> str:
        """Connect, greet and sign in, and say so.

        Raises:
            TransportDown: one of these fails.
        """
        async with self._connected() as client:
            tls = client.get_transport_info("ssl_object")
            how = tls.version() if tls is not None else "without TLS"
        return f"{self.server.host}:{self.server.port} answers, {how}"

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[SMTP]:
        client = self._client()
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            client.close()
            raise TransportDown(_reason(error)) from error
        try:
            yield client
        finally:
            await _say_goodbye(client)

    def _client(self) -> SMTP:
        server = self.server
        return SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            timeout=server.timeout_seconds,
            use_tls=server.uses_tls,
            start_tls=server.starttls,
            tls_context=None if server.is_plain else self._context(),
            local_hostname=server.own_name,
        )

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=self.server.ca_file)
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        return self._tls


async def _say_goodbye(client: SMTP) -> None:
    """End the conversation; what goes wrong now no longer matters to the message that was taken."""
    with contextlib.suppress(aiosmtplib.SMTPException, OSError):
        if client.is_connected:
            await client.quit(timeout=GOODBYE_SECONDS)
    client.close()


def _failure(error: Exception) -> DeliveryFailure:
    """Sort the server's answer: for this message only, for ever, or for everybody.

    Only a refused recipient or content is final. A refused sender or a lost connection is put off: the fault may
    be in the settings, and then it is ours to mend.
    """
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    if isinstance(error, aiosmtplib.SMTPNotSupported | ValueError):
        return Refused(_reason(error))
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        return Deferred(_reason(error))
    if error.code == CLOSING:
        return TransportDown(_reason(error))
    is_final = isinstance(error, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError)
    return Refused(_reason(error)) if is_final and error.code >= 500 else Deferred(_reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{error.code} {error.message}"
    return str(error) or type(error).__name__
