"""Sends one message: a job, so that what fails is tried again, by this process or another one.

The message goes out with no transaction open, and that it did is written in the transaction that ends the job. A
process that dies in between leaves a job whose lease runs out; then the message goes again, with the same Message-ID.
"""

import asyncio
import re
from datetime import timedelta
from uuid import UUID

import structlog

from portico.core import failpoints
from portico.core.crypto import SealBroken
from portico.core.errors import Unavailable
from portico.mail.backoff import TransportGate
from portico.mail.errors import AddressRefused
from portico.mail.messages import OutgoingMail, build_message
from portico.mail.repositories import MailRepository, WaitingMail
from portico.mail.sealing import open_content
from portico.mail.settings import MailSettings
from portico.mail.transports import Deferred, Refused, Transport, TransportDown
from portico.messaging import Backoff, JobRefused, JobRun, LeaseLost, PauseQueue, RetryLater
from portico.runtime import Runtime

log = structlog.get_logger("portico.mail")

BACKOFF = Backoff(first=timedelta(seconds=30), longest=timedelta(days=1))
NOTING_TRIES = 5
LONGEST_REASON = 300
_ADDRESS = re.compile(r"\S+@\S+")


class MailSender:
    """The sender of one process; `runtime.get(MailSender)`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.section(MailSettings)
        self._gate = TransportGate(runtime.clock)

    async def send(self, run: JobRun, mail_id: UUID) -> None:
        """Send a message that was not sent yet, and note how that ended.

        Raises:
            PauseQueue: no message can leave at present.
            RetryLater: this message cannot leave at present.
            JobRefused: this message never can.
        """
        if (pause := self._gate.left) is not None:
            raise PauseQueue(pause, "the mail server is away")
        mail = await self._find(mail_id)
        if mail is None:
            return
        if failpoints.armed:
            await failpoints.reach("mail.sender.after_claim")
        try:
            await self._deliver(mail)
        except TransportDown as failure:
            reason = without_addresses(failure.reason)
            log.warning("mail_transport_down", reason=reason)
            raise PauseQueue(self._gate.shut(), reason) from failure
        except Deferred as failure:
            await self._put_off(run, mail, failure.reason)
        except Refused as failure:
            await self._give_up(mail, failure.reason)
        else:
            await self._note_sent(run, mail)

    async def _find(self, mail_id: UUID) -> WaitingMail | None:
        async with self._runtime.reads() as session:
            return await MailRepository(session).find_unsent(mail_id)

    async def _deliver(self, mail: WaitingMail) -> None:
        message = self._message(mail)
        seconds = self._settings.message_timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                await self._runtime.get(Transport).send(message)
        except TimeoutError:
            raise Deferred(f"not taken within {seconds:g} seconds") from None
        if failpoints.armed:
            await failpoints.reach("mail.sender.after_send")

    def _message(self, mail: WaitingMail) -> OutgoingMail:
        try:
            return build_message(
                self._runtime.settings,
                row_id=mail.id,
                identifier=mail.message_id,
                to=mail.recipient,
                content=open_content(self._runtime, mail.id, mail.sealed_content),
                created_at=mail.created_at,
            )
        except SealBroken:
            raise Refused(
                "the content does not open: written under another root secret, or changed"
            ) from None
        except AddressRefused:
            raise Refused("the recipient is not one address") from None

    async def _note_sent(self, run: JobRun, mail: WaitingMail) -> None:
        self._gate.open()
        try:
            async with run.unit() as unit:
                await MailRepository(unit.session).mark_sent(mail.id, self._runtime.clock.now())
        except (
            LeaseLost,
            Unavailable,
        ):  # the mail is out: noting it is worth some patience, or it goes out again
            await self._note_sent_alone(mail)
        log.info("mail_sent", mail=str(mail.id), template=mail.template, attempts=run.attempt)

    async def _note_sent_alone(self, mail: WaitingMail) -> None:
        for attempt in range(NOTING_TRIES):
            try:
                async with self._runtime.unit() as unit:
                    await MailRepository(unit.session).mark_sent(mail.id, self._runtime.clock.now())
            except Unavailable:
                if attempt + 1 == NOTING_TRIES:
                    raise
                await self._runtime.clock.sleep(2.0**attempt)
            else:
                return

    async def _put_off(self, run: JobRun, mail: WaitingMail, answer: str) -> None:
        if self._runtime.clock.now() - mail.created_at >= self._settings.give_up_after:
            await self._give_up(mail, f"given up after the last answer: {answer}")
        self._gate.open()
        reason = without_addresses(answer)
        log.warning("mail_deferred", mail=str(mail.id), template=mail.template, reason=reason)
        raise RetryLater(BACKOFF.after(run.attempt, self._runtime.entropy), reason)

    async def _give_up(self, mail: WaitingMail, answer: str) -> None:
        self._gate.open()
        reason = without_addresses(answer)
        async with self._runtime.unit() as unit:
            await MailRepository(unit.session).mark_failed(mail.id)
        log.error("mail_failed", mail=str(mail.id), template=mail.template, reason=reason)
        raise JobRefused(reason)


def without_addresses(reason: str) -> str:
    """Return a server's answer on one line, without mail addresses, as it may be stored and logged."""
    return _ADDRESS.sub("<address>", " ".join(reason.split()))[:LONGEST_REASON]
