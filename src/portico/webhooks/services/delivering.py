"""Delivering what is due for one endpoint: claim it, send, note what came of it, see to the next time.

Only one job at a time delivers to an endpoint, and never for long: an endpoint that hangs keeps one place of the
queue busy for one time limit and then rests, so that the others do not feel it. Nothing is held while a request is
under way. All that a run found out is written in its last transaction, which also marks the job as done; a process
that dies before leaves the messages due, and they are sent again under the same ids.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from portico.core import failpoints
from portico.core.entropy import Entropy
from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.messaging import JobRun
from portico.outbound import Outbound
from portico.webhooks.notices import announce_disabled
from portico.webhooks.queueing import enqueue_delivering
from portico.webhooks.repositories import DeliveryRepository, EndpointRepository
from portico.webhooks.sending import Sender
from portico.webhooks.services.secrets import secrets_in_use
from portico.webhooks.settings import WebhooksSettings
from portico.webhooks.types import ClaimedEndpoint, DisabledReason, DueDelivery, EndpointStatus, Outcome

BATCH = 50
"""How many messages one run takes up at most."""
PATIENCE = timedelta(seconds=10)
"""For how long a run starts new requests; those under way end with the time limit."""
MARGIN = timedelta(seconds=15)
"""How much longer than its requests may take a run keeps its endpoint, should its process be lost."""
FIRST_REST = timedelta(seconds=5)
LONGEST_REST = timedelta(minutes=5)
"""How long an endpoint rests at most after a run in which nothing succeeded."""
GONE = 410
ERROR_LENGTH = 300


class Delivering:
    """One run of the job for one endpoint."""

    def __init__(self, run: JobRun, endpoint_id: UUID) -> None:
        self._run = run
        self._runtime = run.runtime
        self._settings = run.runtime.section(WebhooksSettings)
        self._endpoint_id = endpoint_id

    async def deliver_due(self) -> None:
        """Send what is due, if nobody else does; nothing happens for an endpoint that rests or is switched off."""
        endpoint = await self._claim()
        if endpoint is None:
            return
        async with self._runtime.reads() as session:
            due = await DeliveryRepository(session).list_due(endpoint.id, self._runtime.clock.now(), BATCH)
        outcomes = await self._send_all(endpoint, due)
        if failpoints.armed:
            await failpoints.reach("webhooks.deliver.after_send")
        async with self._run.unit() as unit:
            await self._conclude(unit, endpoint, outcomes)

    async def _claim(self) -> ClaimedEndpoint | None:
        now = self._runtime.clock.now()
        until = now + self._settings.timeout + PATIENCE + MARGIN
        async with self._runtime.unit() as unit:
            return await EndpointRepository(unit.session).claim(self._endpoint_id, self._run.id, now, until)

    async def _send_all(self, endpoint: ClaimedEndpoint, due: Sequence[DueDelivery]) -> list[Outcome]:
        """Send a few at a time, until the time is up or nobody answers."""
        clock = self._runtime.clock
        sender = Sender(
            self._runtime.get(Outbound),
            clock,
            self._settings,
            url=endpoint.url,
            secrets=secrets_in_use(self._runtime, endpoint, clock.now()),
        )
        outcomes: list[Outcome] = []
        waiting = _while(
            iter(due), lambda: not any(outcome.is_unanswered for outcome in outcomes), clock.monotonic
        )

        async def send_next() -> None:
            for delivery in waiting:
                outcome = await sender.send(delivery)
                outcomes.append(outcome)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._settings.at_once, len(due))):
                group.create_task(send_next())
        return outcomes

    async def _conclude(self, unit: Unit, endpoint: ClaimedEndpoint, outcomes: Sequence[Outcome]) -> None:
        now = self._runtime.clock.now()
        noted = _health(endpoint, outcomes, now) if outcomes else {}
        status = await EndpointRepository(unit.session).release(endpoint.id, self._run.id, **noted)
        if status is None:  # deleted, or so late that another run took over and will note its own outcomes
            return
        await self._note(unit, outcomes, now)
        reason = self._reason_to_disable(noted, outcomes, now)
        if status is EndpointStatus.ENABLED and reason is not None:
            await self._disable(unit, endpoint, reason, now)
        elif status is EndpointStatus.ENABLED:
            await self._see_to_next(unit, endpoint, noted.get("resting_until"))

    async def _note(self, unit: Unit, outcomes: Sequence[Outcome], now: datetime) -> None:
        deliveries = DeliveryRepository(unit.session)
        if outcomes:
            await deliveries.record([_attempt_row(outcome) for outcome in outcomes])
        delivered = [outcome.delivery.id for outcome in outcomes if outcome.is_success]
        if delivered:
            await deliveries.settle(delivered, now)
        for outcome in outcomes:
            if outcome.is_success:
                continue
            wait = next_wait(outcome, self._settings.retry_after, self._runtime.entropy)
            if wait is None:
                await deliveries.give_up(outcome.delivery.id, now)
            else:
                await deliveries.postpone(outcome.delivery.id, now + wait)

    def _reason_to_disable(
        self, noted: dict[str, Any], outcomes: Sequence[Outcome], now: datetime
    ) -> DisabledReason | None:
        if any(outcome.status_code == GONE for outcome in outcomes):
            return DisabledReason.GONE
        since = noted.get("failing_since")
        if since is not None and now - since >= self._settings.disable_after:
            return DisabledReason.FAILING
        return None

    async def _disable(
        self, unit: Unit, endpoint: ClaimedEndpoint, reason: DisabledReason, now: datetime
    ) -> None:
        if await EndpointRepository(unit.session).disable(endpoint.id, reason, now):
            await announce_disabled(self._runtime, unit, endpoint, reason)

    async def _see_to_next(
        self, unit: Unit, endpoint: ClaimedEndpoint, resting_until: datetime | None
    ) -> None:
        next_due = await DeliveryRepository(unit.session).find_next_due(endpoint.id)
        if next_due is not None:
            due = max(next_due, resting_until) if resting_until else next_due
            enqueue_delivering(self._runtime, unit, endpoint.id, at=due, is_failing=resting_until is not None)


def next_wait(outcome: Outcome, waits: Sequence[timedelta], entropy: Entropy) -> timedelta | None:
    """Return how long a failed message waits for its next attempt; None after the last one.

    A tenth at random spreads what failed together, so that it does not come back together.
    """
    made = outcome.delivery.attempts
    if made >= len(waits):
        return None
    chance = int.from_bytes(entropy.bytes(2)) / 0xFFFF
    wait = waits[made] * (1 + 0.1 * chance)
    return max(wait, outcome.retry_after) if outcome.retry_after else wait


def _while(
    due: Iterator[DueDelivery], may_go_on: Callable[[], bool], monotonic: Callable[[], float]
) -> Iterator[DueDelivery]:
    """Yield messages, shared by all who ask, as long as it makes sense to start another request."""
    ends = monotonic() + PATIENCE.total_seconds()
    for delivery in due:
        if not may_go_on() or monotonic() > ends:
            return
        yield delivery


def _health(endpoint: ClaimedEndpoint, outcomes: Sequence[Outcome], now: datetime) -> dict[str, Any]:
    """Return what a run tells of the endpoint: one success, and it is healthy."""
    if any(outcome.is_success for outcome in outcomes):
        return {"failing_since": None, "failed_runs": 0, "resting_until": None}
    failed_runs = endpoint.failed_runs + 1
    rest: timedelta = FIRST_REST * 2 ** min(failed_runs - 1, 10)
    return {
        "failing_since": endpoint.failing_since or now,
        "failed_runs": failed_runs,
        "resting_until": now + min(rest, LONGEST_REST),
    }


def _attempt_row(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": new_id(),
        "delivery_id": outcome.delivery.id,
        "at": outcome.at,
        "duration_ms": int(outcome.elapsed / timedelta(milliseconds=1)),
        "status_code": outcome.status_code,
        "request_headers": dict(outcome.request_headers),
        "response_headers": None if outcome.response_headers is None else dict(outcome.response_headers),
        "response_body": outcome.response_body,
        "is_cut": outcome.is_cut,
        "error": outcome.error and outcome.error[:ERROR_LENGTH],
    }
