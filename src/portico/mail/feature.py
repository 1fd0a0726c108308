"""The declaration of mail."""

from datetime import timedelta

from portico.feature import Feature, HealthCheck
from portico.keys.types import SealedColumn
from portico.mail.jobs import send_mail, sweep_mail
from portico.mail.models import MailMessage
from portico.mail.pages import router as viewer
from portico.mail.repositories import MailRepository
from portico.mail.sealing import PURPOSE
from portico.mail.sender import MailSender
from portico.mail.services import Mailer
from portico.mail.settings import MailSettings
from portico.mail.transports import Transport, open_transport
from portico.mail.types import MailStatus
from portico.messaging import Schedule
from portico.runtime import Runtime

CONTENT = SealedColumn(
    column=MailMessage.sealed_content,
    key=MailMessage.id,
    purpose=PURPOSE,
    context=lambda row_id: row_id.bytes,
)


def mail_feature() -> Feature:
    """Return the feature: the mailer, the sender, the transport, the viewer of development."""
    return Feature(
        name="mail",
        settings=MailSettings,
        pages=[viewer],
        templates="portico.mail",
        ports={
            Transport: lambda runtime: open_transport(runtime.settings),
            Mailer: Mailer.from_runtime,
            MailSender: MailSender,
        },
        contributes={SealedColumn: [CONTENT]},
        jobs=[send_mail],
        schedules=[Schedule(sweep_mail, every=timedelta(hours=1))],
        health_checks=[HealthCheck("mail", check_mail)],
    )


async def check_mail(runtime: Runtime) -> str:
    """Say whether mail can leave, and how much waits.

    Raises:
        TransportDown: it cannot.
    """
    async with runtime.reads() as session:
        counts = await MailRepository(session).count_by_status()
    state = await runtime.get(Transport).check()
    waiting, failed = counts.get(MailStatus.QUEUED, 0), counts.get(MailStatus.FAILED, 0)
    return f"{state}; {waiting} waiting, {failed} failed"
