"""Publishes committed events: claims a batch, sends it with no transaction open, notes what the broker has confirmed.

A process that dies in between leaves a claim that runs out; then the batch goes again, with the same ids. A broker
that is away is left alone, for 1, 2, 4 … 30 seconds; one event that it does not take waits by itself.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog

from portico.core import failpoints
from portico.messaging.pauses import BrokerAway, Pauses
from portico.messaging.publishing.envelope import message_of
from portico.messaging.publishing.transport import CONFIRM_SECONDS, CONNECT_SECONDS, open_transport
from portico.messaging.repositories.publications import PublicationRepository
from portico.messaging.types import Backoff, OutboxEvent
from portico.runtime import Runtime

if TYPE_CHECKING:
    from portico.messaging.publishing.transport import Transport

log = structlog.get_logger("portico.outbox")

BATCH: Final = 100
AT_A_TIME: Final = 16
BATCH_SECONDS: Final = CONFIRM_SECONDS * 3
CLAIM: Final = timedelta(minutes=1)
"""Longer than a batch can take."""
REFUSED_BACKOFF: Final = Backoff(first=timedelta(seconds=10), longest=timedelta(hours=1))
CLOSING_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class _Claim:
    event: OutboxEvent
    attempts: int


class EventPublisher:
    """The publisher of one process; `runtime.get(EventPublisher)`."""

    def __init__(self, runtime: Runtime, transport: "Transport | None" = None) -> None:
        self._runtime = runtime
        self._given = transport
        self._transport: Transport | None = None
        self._pauses = Pauses(runtime.clock)

    async def publish(self) -> int:
        """Publish all that is due; return how many events the broker has confirmed."""
        total = 0
        while self._pauses.is_over and await self._is_due():
            try:
                confirmed, claimed = await self._publish_batch()
            except BrokerAway as away:
                log.warning("events_not_published", error=str(away), seconds=self._pauses.begin())
                break
            self._pauses.end()
            total += confirmed
            if claimed < BATCH:
                break
        return total

    async def close(self) -> None:
        """Disconnect."""
        transport, self._transport = self._transport, None
        if transport is not None:
            with suppress(Exception):  # it may be broken, which is why it is dropped
                async with asyncio.timeout(CLOSING_SECONDS):
                    await transport.close()

    async def _is_due(self) -> bool:
        async with self._runtime.reads() as session:
            return await PublicationRepository(session).exists_due(self._runtime.clock.now())

    async def _publish_batch(self) -> tuple[int, int]:
        transport = await self._connected()
        claims = await self._claim()
        if failpoints.armed:
            await failpoints.reach("events.publish.after_claim")
        failures = await self._send(transport, [claim.event for claim in claims])
        if failpoints.armed:
            await failpoints.reach("events.publish.after_send")
        if failures and not await self._is_alive(transport):
            await self._settle(claims, failures, is_away=True)
            await self.close()
            raise BrokerAway(_told(next(iter(failures.values()))))
        await self._settle(claims, failures, is_away=False)
        return len(claims) - len(failures), len(claims)

    async def _connected(self) -> "Transport":
        """Connect before anything is claimed, so that a broker that is away costs no write."""
        if self._transport is None:
            self._transport = self._given or open_transport(self._runtime.settings.events)
            try:
                async with asyncio.timeout(CONNECT_SECONDS * 2):
                    await self._transport.connect()
            except Exception as error:
                await self.close()
                raise BrokerAway(_told(error)) from error
        return self._transport

    async def _claim(self) -> list[_Claim]:
        now = self._runtime.clock.now()
        async with self._runtime.unit() as unit:
            claimed = await PublicationRepository(unit.session).claim_due(now, now + CLAIM, BATCH)
        return [_Claim(event, attempts) for event, attempts in claimed]

    async def _send(self, transport: "Transport", events: Sequence[OutboxEvent]) -> dict[UUID, BaseException]:
        """Send some at a time, all within a few seconds; return what went wrong, by event."""
        source, slots = self._runtime.settings.public_url, asyncio.Semaphore(AT_A_TIME)

        async def send(event: OutboxEvent) -> None:
            async with slots:
                await transport.send(message_of(event, source))

        sending = {asyncio.create_task(send(event)): event.id for event in events}
        if sending:
            _, late = await asyncio.wait(sending, timeout=BATCH_SECONDS)
            for task in late:
                task.cancel()
        ended = await asyncio.gather(*sending, return_exceptions=True)
        pairs = zip(sending.values(), ended, strict=True)
        return {event_id: error for event_id, error in pairs if error is not None}

    async def _is_alive(self, transport: "Transport") -> bool:
        try:
            async with asyncio.timeout(CONNECT_SECONDS * 2):
                return await transport.is_alive()
        except Exception:  # noqa: BLE001 - whatever it is, the broker does not answer
            return False

    async def _settle(
        self, claims: Sequence[_Claim], failures: Mapping[UUID, BaseException], *, is_away: bool
    ) -> None:
        """Write what became of a batch."""
        now = self._runtime.clock.now()
        confirmed = [claim.event.id for claim in claims if claim.event.id not in failures]
        async with self._runtime.unit() as unit:
            publications = PublicationRepository(unit.session)
            await publications.settle(confirmed)
            if is_away:
                await publications.put_back(list(failures), now)
                return
            for claim in claims:
                if (error := failures.get(claim.event.id)) is not None:
                    wait = REFUSED_BACKOFF.after(claim.attempts, self._runtime.entropy)
                    await publications.defer(claim.event.id, now + wait)
                    log.error(
                        "event_refused_by_broker",
                        id=str(claim.event.id),
                        name=claim.event.name,
                        error=_told(error),
                    )


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@asynccontextmanager
async def publishing(runtime: Runtime) -> AsyncIterator[None]:
    """Provide the `EventPublisher` of a process whose settings name a broker for events; nothing without one."""
    if runtime.settings.events.broker_url is None:
        yield
        return
    publisher = EventPublisher(runtime)
    runtime.provide(EventPublisher, publisher)
    try:
        yield
    finally:
        await publisher.close()


async def publish_due_events(runtime: Runtime) -> None:
    """Publish what is due; periodic work."""
    await runtime.get(EventPublisher).publish()
