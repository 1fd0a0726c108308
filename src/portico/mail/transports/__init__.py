"""The ways in which mail leaves: into a folder, or by SMTP."""

from portico.core.settings import Settings
from portico.mail.settings import MailSettings, folder_of
from portico.mail.transports.base import Deferred, Refused, Transport, TransportDown

__all__ = ["Deferred", "Refused", "Transport", "TransportDown", "open_transport"]


def open_transport(settings: Settings) -> Transport:
    """Return the transport that the settings name; nothing is connected yet."""
    if (folder := folder_of(settings)) is not None:
        from portico.mail.transports.folder import FolderTransport

        return FolderTransport(folder)
    from portico.mail.transports.smtp import SmtpServer, SmtpTransport

    return SmtpTransport(SmtpServer.from_settings(settings, settings.section(MailSettings)))
