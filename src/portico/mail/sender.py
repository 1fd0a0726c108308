"""Sends what is due, in the background.

A message is claimed for a while by one sender (P9), sent with no transaction open, and its fate written down. A
process that dies in between leaves a claim that runs out; then the message goes again, with the same Message-ID.
Each of a few tasks sends one message after the other, so that one that hangs does not hold up the rest.
"""

import asyncio
import re
from datetime import timedelta

import structlog

from portico.core import failpoints
from portico.core.crypto import SealBroken
from portico.core.errors import Unavailable
from portico.mail.backoff import TransportGate, wait_after
from portico.mail.errors import AddressRefused
from portico.mail.messages import OutgoingMail, build_message
from portico.mail.repositories import ClaimedMail, MailRepository
from portico.mail.sealing import open_content
from portico.mail.settings import MailSettings
from portico.mail.transports import Deferred, Refused, Transport, TransportDown
from portico.runtime import Runtime

log = structlog.get_logger("portico.mail")

CLAIM_MARGIN = timedelta(minutes=1)
"""How long a claim outlives the longest possible sending: time to write down how it ended."""
NOTING_TRIES = 5
STOP_SECONDS = 10.0
LONGEST_REASON = 300
_ADDRESS = re.compile(r"\S+@\S+")


class MailSender:
    """The sender of one process; `runtime.get(MailSender)`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.section(MailSettings)
        self._gate = TransportGate(runtime.clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def start_due(self) -> None:
        """Put as many tasks to work as there is mail due and room for; returns without waiting for them."""
        room = int(min(self._settings.connections, self._gate.width)) - len(self._tasks)
        if self._stopping or room <= 0 or not self._gate.is_open:
            return
        async with self._runtime.reads() as session:
            due = await MailRepository(session).count_due(self._runtime.clock.now(), at_most=room)
        for _ in range(due):
            task = asyncio.create_task(self._send_while_due(), name="mail:sending")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def drain(self) -> int:
        """Send everything that is due now, one by one; return how many messages were tried."""
        tried = 0
        while await self.send_next():
            tried += 1
        return tried

    async def stop(self) -> None:
        """Let messages under way end; those that take too long go again later."""
        self._stopping = True
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def send_next(self) -> bool:
        """Claim one due message, try to deliver it and note how that ended; False if nothing is due."""
        mail = await self._claim()
        if mail is None:
            return False
        if failpoints.armed:
            await failpoints.reach("mail.sender.after_claim")
        try:
            await self._deliver(mail)
        except TransportDown as failure:
            await self._note_transport_down(mail, failure)
        except Deferred as failure:
            await self._note_deferred(mail, failure)
        except Refused as failure:
            await self._note_failed(mail, failure.reason)
        else:
            await self._note_sent(mail)
        return True

    async def _send_while_due(self) -> None:
        try:
            while not self._stopping and self._gate.is_open and await self.send_next():
                pass
        except Exception as error:  # noqa: BLE001 - the edge of a task: the claim runs out, the message goes again
            log.warning("mail_sending_failed", error=type(error).__name__)

    async def _claim(self) -> ClaimedMail | None:
        now = self._runtime.clock.now()
        until = now + self._settings.message_timeout + CLAIM_MARGIN
        async with self._runtime.unit() as unit:
            return await MailRepository(unit.session).claim_due(now, until)

    async def _deliver(self, mail: ClaimedMail) -> None:
        message = self._message(mail)
        seconds = self._settings.message_timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                await self._runtime.get(Transport).send(message)
        except TimeoutError:
            raise Deferred(f"not taken within {seconds:g} seconds") from None
        if failpoints.armed:
            await failpoints.reach("mail.sender.after_send")

    def _message(self, mail: ClaimedMail) -> OutgoingMail:
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

    async def _note_sent(self, mail: ClaimedMail) -> None:
        self._gate.open()
        for attempt in range(NOTING_TRIES):
            try:
                async with self._runtime.unit() as unit:
                    await MailRepository(unit.session).mark_sent(mail, self._runtime.clock.now())
                break
            except Unavailable:  # the mail is out: noting it is worth some patience, or it goes out again
                if attempt + 1 == NOTING_TRIES:
                    raise
                await self._runtime.clock.sleep(2.0**attempt)
        log.info("mail_sent", mail=str(mail.id), template=mail.template, attempts=mail.attempts + 1)

    async def _note_transport_down(self, mail: ClaimedMail, failure: TransportDown) -> None:
        until = self._runtime.clock.now() + self._gate.shut()
        reason = without_addresses(failure.reason)
        async with self._runtime.unit() as unit:
            await MailRepository(unit.session).defer(mail, until, reason, counted=False)
        log.warning("mail_transport_down", reason=reason)

    async def _note_deferred(self, mail: ClaimedMail, failure: Deferred) -> None:
        now = self._runtime.clock.now()
        if now - mail.created_at >= self._settings.give_up_after:
            await self._note_failed(mail, f"given up after the last answer: {failure.reason}")
            return
        self._gate.open()
        until = now + wait_after(mail.attempts + 1, self._runtime.entropy)
        reason = without_addresses(failure.reason)
        async with self._runtime.unit() as unit:
            await MailRepository(unit.session).defer(mail, until, reason, counted=True)
        log.warning("mail_deferred", mail=str(mail.id), template=mail.template, reason=reason)

    async def _note_failed(self, mail: ClaimedMail, reason: str) -> None:
        self._gate.open()
        reason = without_addresses(reason)
        async with self._runtime.unit() as unit:
            await MailRepository(unit.session).fail(mail, reason)
        log.error("mail_failed", mail=str(mail.id), template=mail.template, reason=reason)


def without_addresses(reason: str) -> str:
    """Return a server's answer on one line, without mail addresses, as it may be stored and logged."""
    return _ADDRESS.sub("<address>", " ".join(reason.split()))[:LONGEST_REASON]


async def send_due_mail(runtime: Runtime) -> None:
    """Start sending what is due; run every few seconds and whenever mail was written."""
    await runtime.get(MailSender).start_due()


async def sweep_mail(runtime: Runtime) -> None:
    """Forget messages that were sent or given up long ago."""
    before = runtime.clock.now() - runtime.section(MailSettings).keep
    async with runtime.unit() as unit:
        await MailRepository(unit.session).remove_settled(before)
