"""The declaration of mail."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from portico.feature import Feature, HealthCheck
from portico.mail.pages import router as viewer
from portico.mail.repositories import MailRepository
from portico.mail.sender import MailSender, send_due_mail, sweep_mail
from portico.mail.services import SENDING, Mailer, MailWake
from portico.mail.settings import MailSettings
from portico.mail.transports import Transport, open_transport
from portico.mail.types import MailStatus
from portico.messaging import Periodic
from portico.runtime import Runtime


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
            MailWake: MailWake,
        },
        lifespan=_sending,
        periodics=[
            Periodic(SENDING, timedelta(seconds=5), send_due_mail),
            Periodic("mail-sweep", timedelta(hours=1), sweep_mail),
        ],
        health_checks=[HealthCheck("mail", check_mail)],
    )


@asynccontextmanager
async def _sending(runtime: Runtime) -> AsyncIterator[None]:
    """Let messages under way end before the database is closed."""
    try:
        yield
    finally:
        await runtime.get(MailSender).stop()


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
