"""Settings of mail, read under `PORTICO_MAIL__*`."""

from collections.abc import Iterable
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from portico.core.settings import FeatureSettings, Settings
from portico.mail.addresses import single_address
from portico.mail.errors import AddressRefused

if TYPE_CHECKING:
    from portico.core.safety import SettingFault

SCHEMES = ("file", "smtp", "smtps")


def _mail_url(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        is_complete = bool(parts.path) if parts.scheme == "file" else bool(parts.hostname and parts.port != 0)
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in SCHEMES or not is_complete:
        raise ValueError("must be file:///folder, smtp://host:587 or smtps://host:465")
    if parts.query or parts.fragment:
        raise ValueError(
            "must not have a query or fragment; a `?` or `#` in the password is written %3F or %23"
        )
    return value


def _mailbox(value: str) -> str:
    try:
        single_address(parseaddr(value)[1])
    except AddressRefused:
        raise ValueError("must be an address, or `Name <address>`") from None
    if not value.isprintable():
        raise ValueError("must not contain control characters")
    return value


MailUrl = Annotated[SecretStr, AfterValidator(_mail_url)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]


class MailSettings(FeatureSettings):
    """How mail leaves the server."""

    url: MailUrl | None = None
    """`file:///folder`, `smtp://user:password@host:587` (STARTTLS, which is required outside development unless
    the host is this machine) or `smtps://user:password@host:465`. Default: the folder `mail` in the data
    directory, shown at `/dev/mail` in development; production requires a server."""
    sender: Mailbox | None = None
    """The From of every mail: `Name <address>`. Default: the product's name and `no-reply@` the public host."""
    reply_to: Mailbox | None = None
    """Where answers go. Default: nowhere else than to the sender."""
    timeout: timedelta = Field(timedelta(seconds=10), gt=timedelta(0), le=timedelta(minutes=5))
    """How long the mail server may take to answer one command."""
    message_timeout: timedelta = Field(timedelta(minutes=1), gt=timedelta(0), le=timedelta(minutes=10))
    """How long the sending of one message may take altogether."""
    ca_file: Path | None = None
    """Certificates to trust instead of the system's, for a mail server with a private authority (PEM)."""
    give_up_after: timedelta = Field(timedelta(days=4), ge=timedelta(0))
    """The age at which a message that the server keeps putting off is given up (RFC 5321, section 4.5.4.1)."""
    keep: timedelta = Field(timedelta(days=30), ge=timedelta(0))
    """How long it is remembered that a message was sent or failed; its content goes as soon as it is sent."""

    def production_faults(self, settings: Settings) -> Iterable["SettingFault"]:
        """Yield that no mail server is named: then nobody could prove his address or reset a password."""
        from portico.core.safety import SettingFault

        if self.url is None:
            yield SettingFault(
                "PORTICO_MAIL__URL", "is required: smtp://… or smtps://… (file:///… to keep mail here)"
            )


def folder_of(settings: Settings) -> Path | None:
    """Return the folder that mail is written to, or None where it leaves by SMTP."""
    url = settings.section(MailSettings).url
    if url is None:
        return settings.data_dir / "mail"
    parts = urlsplit(url.get_secret_value())
    return Path(parts.path) if parts.scheme == "file" else None
