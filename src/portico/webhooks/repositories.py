"""SQL of webhooks."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update
from sqlalchemy.orm import load_only

from portico.db.repositories import Repository
from portico.http.pagination import Cursors, Ordering, PageQuery, Slice, fetch_page
from portico.webhooks.errors import WebhookDeliveryNotFound, WebhookEndpointNotFound
from portico.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from portico.webhooks.types import (
    ClaimedEndpoint,
    DeliveryStatus,
    DisabledReason,
    DueDelivery,
    EndpointStatus,
    Subscriber,
)

ENDPOINTS = "GET /admin/webhooks"
DELIVERIES = "GET /admin/webhooks/deliveries"
_CLAIMED = (
    WebhookEndpoint.id,
    WebhookEndpoint.url,
    WebhookEndpoint.sealed_secret,
    WebhookEndpoint.sealed_previous_secret,
    WebhookEndpoint.previous_until,
    WebhookEndpoint.failing_since,
    WebhookEndpoint.failed_runs,
)
_IN_LIST = load_only(
    WebhookDelivery.id,
    WebhookDelivery.endpoint_id,
    WebhookDelivery.event_id,
    WebhookDelivery.event_name,
    WebhookDelivery.message_id,
    WebhookDelivery.status,
    WebhookDelivery.attempts,
    WebhookDelivery.next_attempt_at,
    WebhookDelivery.created_at,
    WebhookDelivery.finished_at,
)


class EndpointRepository(Repository[WebhookEndpoint]):
    """The endpoints."""

    async def get_endpoint(self, endpoint_id: UUID, *, lock: bool = False) -> WebhookEndpoint:
        """Return an endpoint; with `lock` nobody else changes it before the commit.

        Raises:
            WebhookEndpointNotFound: there is none (404).
        """
        query = select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id)
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        found = await self.session.scalar(query)
        if found is None:
            raise WebhookEndpointNotFound
        return found

    async def list_endpoints(
        self, query: PageQuery, cursors: Cursors, status: EndpointStatus | None
    ) -> Slice[WebhookEndpoint]:
        """Return one page."""
        statement = select(WebhookEndpoint).where(WebhookEndpoint.organization_id.is_(None))
        if status is not None:
            statement = statement.where(WebhookEndpoint.status == status)
        if query.q is not None:
            words = query.q.strip().lower()
            statement = statement.where(
                or_(
                    func.lower(WebhookEndpoint.url).contains(words, autoescape=True),
                    func.lower(WebhookEndpoint.description).contains(words, autoescape=True),
                )
            )
        ordering = Ordering(WebhookEndpoint.created_at, WebhookEndpoint.id, descending=query.descending)
        return await fetch_page(
            self.session, statement, query=query, ordering=ordering, cursors=cursors, route=ENDPOINTS
        )

    async def list_subscribers(self, now: datetime) -> list[Subscriber]:
        """Return the platform's enabled endpoints; none of them can be deleted before the commit."""
        statement = (
            select(WebhookEndpoint.id, WebhookEndpoint.event_names, WebhookEndpoint.resting_until)
            .where(
                WebhookEndpoint.status == EndpointStatus.ENABLED, WebhookEndpoint.organization_id.is_(None)
            )
            .order_by(WebhookEndpoint.id)
            .with_for_update(read=True, key_share=True)
        )
        return [
            Subscriber(id_, tuple(names), resting is not None, resting is not None and resting > now)
            for id_, names, resting in await self.session.execute(statement)
        ]

    async def claim(
        self, endpoint_id: UUID, job_id: UUID, now: datetime, until: datetime
    ) -> ClaimedEndpoint | None:
        """Take an enabled endpoint to deliver to; None if it rests, or another job delivers to it.

        A job that was interrupted finds its own claim and goes on.
        """
        is_free = or_(
            WebhookEndpoint.busy_until.is_(None),
            WebhookEndpoint.busy_until <= now,
            WebhookEndpoint.busy_by == job_id,
        )
        is_rested = or_(WebhookEndpoint.resting_until.is_(None), WebhookEndpoint.resting_until <= now)
        statement = (
            update(WebhookEndpoint)
            .where(
                WebhookEndpoint.id == endpoint_id,
                WebhookEndpoint.status == EndpointStatus.ENABLED,
                is_free,
                is_rested,
            )
            .values(busy_by=job_id, busy_until=until)
            .returning(*_CLAIMED)
            .execution_options(synchronize_session=False)
        )
        row = (await self.session.execute(statement)).one_or_none()
        return None if row is None else ClaimedEndpoint(*row)

    async def release(self, endpoint_id: UUID, job_id: UUID, **noted: Any) -> EndpointStatus | None:
        """Let go of an endpoint and note how it did; None if it is no longer this job's, or gone.

        From here to the commit its row is locked: a job that finds it taken meanwhile waits, and then finds it free.
        """
        statement = (
            update(WebhookEndpoint)
            .where(WebhookEndpoint.id == endpoint_id, WebhookEndpoint.busy_by == job_id)
            .values(busy_by=None, busy_until=None, **noted)
            .returning(WebhookEndpoint.status)
            .execution_options(synchronize_session=False)
        )
        return await self.session.scalar(statement)

    async def disable(self, endpoint_id: UUID, reason: DisabledReason, now: datetime) -> bool:
        """Switch an endpoint off; False if it was off already."""
        statement = (
            update(WebhookEndpoint)
            .where(WebhookEndpoint.id == endpoint_id, WebhookEndpoint.status == EndpointStatus.ENABLED)
            .values(
                status=EndpointStatus.DISABLED,
                disabled_reason=reason,
                disabled_at=now,
                updated_at=now,
                version=WebhookEndpoint.version + 1,
            )
            .returning(WebhookEndpoint.id)
            .execution_options(synchronize_session=False)
        )
        return (await self.session.execute(statement)).one_or_none() is not None

    async def list_forgotten(self, now: datetime, patience: timedelta, limit: int) -> Sequence[UUID]:
        """Return endpoints that could be delivered to and have had something due for longer than `patience`."""
        overdue = (
            select(WebhookDelivery.endpoint_id)
            .where(WebhookDelivery.next_attempt_at < now - patience)
            .distinct()
            .scalar_subquery()
        )
        statement = (
            select(WebhookEndpoint.id)
            .where(
                WebhookEndpoint.id.in_(overdue),
                WebhookEndpoint.status == EndpointStatus.ENABLED,
                or_(WebhookEndpoint.resting_until.is_(None), WebhookEndpoint.resting_until < now - patience),
                or_(WebhookEndpoint.busy_until.is_(None), WebhookEndpoint.busy_until <= now),
            )
            .limit(limit)
        )
        return (await self.session.scalars(statement)).all()


class DeliveryRepository(Repository[WebhookDelivery]):
    """The messages and the attempts to deliver them."""

    async def write(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add messages."""
        await self.session.execute(insert(WebhookDelivery), rows)

    async def list_due(self, endpoint_id: UUID, now: datetime, limit: int) -> list[DueDelivery]:
        """Return what is to be sent to an endpoint now, what has been due the longest first."""
        statement = (
            select(
                WebhookDelivery.id, WebhookDelivery.message_id, WebhookDelivery.body, WebhookDelivery.attempts
            )
            .where(WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.next_attempt_at <= now)
            .order_by(WebhookDelivery.next_attempt_at, WebhookDelivery.id)
            .limit(limit)
        )
        return [DueDelivery(*row) for row in await self.session.execute(statement)]

    async def find_next_due(self, endpoint_id: UUID) -> datetime | None:
        """Return when something is next to be sent to an endpoint."""
        statement = select(func.min(WebhookDelivery.next_attempt_at)).where(
            WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.next_attempt_at.is_not(None)
        )
        return await self.session.scalar(statement)

    async def record(self, attempts: Sequence[dict[str, Any]]) -> None:
        """Add attempts to the log."""
        await self.session.execute(insert(WebhookAttempt), attempts)

    async def settle(self, delivery_ids: Collection[UUID], now: datetime) -> None:
        """Note that these were delivered."""
        await self.session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.id.in_(delivery_ids))
            .values(
                status=DeliveryStatus.DELIVERED,
                attempts=WebhookDelivery.attempts + 1,
                next_attempt_at=None,
                finished_at=now,
            )
            .execution_options(synchronize_session=False)
        )

    async def postpone(self, delivery_id: UUID, until: datetime) -> None:
        """Let a delivery wait for its next attempt."""
        await self._change(delivery_id, next_attempt_at=until)

    async def give_up(self, delivery_id: UUID, now: datetime) -> None:
        """Note that every attempt was made."""
        await self._change(delivery_id, status=DeliveryStatus.FAILED, next_attempt_at=None, finished_at=now)

    async def _change(self, delivery_id: UUID, **values: Any) -> None:
        await self.session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.id == delivery_id)
            .values(attempts=WebhookDelivery.attempts + 1, **values)
            .execution_options(synchronize_session=False)
        )

    async def get_delivery(self, delivery_id: UUID, *, lock: bool = False) -> WebhookDelivery:
        """Return a delivery with its body.

        Raises:
            WebhookDeliveryNotFound: there is none (404).
        """
        query = select(WebhookDelivery).where(WebhookDelivery.id == delivery_id)
        found = await self.session.scalar(query.with_for_update() if lock else query)
        if found is None:
            raise WebhookDeliveryNotFound
        return found

    async def list_attempts(self, delivery_id: UUID) -> Sequence[WebhookAttempt]:
        """Return the attempts at one delivery, oldest first."""
        query = select(WebhookAttempt).where(WebhookAttempt.delivery_id == delivery_id)
        return (await self.session.scalars(query.order_by(WebhookAttempt.at, WebhookAttempt.id))).all()

    async def list_deliveries(
        self,
        query: PageQuery,
        cursors: Cursors,
        *,
        endpoint_id: UUID | None,
        status: DeliveryStatus | None,
        event_name: str | None,
    ) -> Slice[WebhookDelivery]:
        """Return one page of the log, without the bodies."""
        wanted: dict[Any, Any] = {
            WebhookDelivery.endpoint_id: endpoint_id,
            WebhookDelivery.status: status,
            WebhookDelivery.event_name: event_name,
        }
        statement = select(WebhookDelivery).options(_IN_LIST)
        statement = statement.where(
            *(column == value for column, value in wanted.items() if value is not None)
        )
        if query.q is not None:
            statement = statement.where(WebhookDelivery.message_id == query.q.strip())
        ordering = Ordering(WebhookDelivery.created_at, WebhookDelivery.id, descending=query.descending)
        return await fetch_page(
            self.session, statement, query=query, ordering=ordering, cursors=cursors, route=DELIVERIES
        )

    async def remove_finished(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` deliveries that ended before then, with their attempts; return how many."""
        old = select(WebhookDelivery.id).where(WebhookDelivery.finished_at < before).limit(limit)
        return await self._remove(WebhookDelivery.id.in_(old))

    async def remove_stranded(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` deliveries of that age that wait for an endpoint which is switched off."""
        off = select(WebhookEndpoint.id).where(WebhookEndpoint.status == EndpointStatus.DISABLED)
        old = (
            select(WebhookDelivery.id)
            .where(
                and_(WebhookDelivery.created_at < before, WebhookDelivery.next_attempt_at.is_not(None)),
                WebhookDelivery.endpoint_id.in_(off),
            )
            .limit(limit)
        )
        return await self._remove(WebhookDelivery.id.in_(old))

    async def _remove(self, which: ColumnElement[bool]) -> int:
        statement = (
            delete(WebhookDelivery)
            .where(which)
            .returning(WebhookDelivery.id)
            .execution_options(synchronize_session=False)
        )
        return len((await self.session.execute(statement)).all())
