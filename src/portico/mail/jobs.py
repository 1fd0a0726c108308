"""Queued work of mail: sending, and forgetting what was sent."""

from datetime import timedelta
from uuid import UUID

from portico.mail.repositories import MailRepository
from portico.mail.sender import MailSender
from portico.mail.settings import MailSettings
from portico.messaging import JobRun, job
from portico.messaging.sweeps import in_batches

NEVER_BY_COUNT = 1_000
"""A message is given up by its age (`mail.give_up_after`), not by the number of attempts."""


@job("mail.send", queue="mail", attempts=NEVER_BY_COUNT, time_limit=timedelta(minutes=15))
async def send_mail(run: JobRun, *, mail_id: UUID) -> None:
    """Send one message; done at once if it was sent already, or its reader was erased."""
    await run.runtime.get(MailSender).send(run, mail_id)


@job("mail.sweep")
async def sweep_mail(run: JobRun) -> None:
    """Forget messages that were sent or given up long ago."""
    before = run.runtime.clock.now() - run.runtime.section(MailSettings).keep
    await in_batches(
        run.runtime, lambda unit, limit: MailRepository(unit.session).remove_settled(before, limit)
    )
