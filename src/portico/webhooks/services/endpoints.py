"""What administrators do with endpoints. Each act is on the trail; addresses and secrets are not, for both may be
keys to somebody's door.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from portico.audit.services import record
from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.http.pagination import Cursors, Page
from portico.messaging import EventBus, OutboxEvent
from portico.outbound import Outbound, OutboundError, Target
from portico.runtime import Runtime
from portico.webhooks.errors import WebhookEndpointDisabled, WebhookEndpointInvalid
from portico.webhooks.events import WebhookEndpointDisabled as EndpointDisabled
from portico.webhooks.messages import unknown_patterns
from portico.webhooks.models import WebhookEndpoint
from portico.webhooks.queueing import enqueue_delivering
from portico.webhooks.repositories import DeliveryRepository, EndpointRepository
from portico.webhooks.schemas import EndpointListQuery, EndpointResponse
from portico.webhooks.services.fanout import delivery_row
from portico.webhooks.services.secrets import seal_secret
from portico.webhooks.settings import WebhooksSettings
from portico.webhooks.signing import new_secret, written
from portico.webhooks.types import TEST_EVENT, DisabledReason, EndpointStatus, IssuedSecret

type VersionCheck = Callable[[int], None]
"""Raises where `If-Match` names another version than the present one."""

SUBJECT = "webhook_endpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEndpoint:
    """An endpoint, as typed."""

    url: str
    event_names: Sequence[str]
    description: str | None = None


@dataclass(frozen=True, slots=True)
class EndpointChanges:
    """The fields to change, by name: `url`, `description`, `event_names`, `status`."""

    values: dict[str, Any]


class Endpoints:
    """Lists, makes, changes, deletes, tests endpoints and changes their secrets."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def list_endpoints(self, query: EndpointListQuery) -> Page[EndpointResponse]:
        """Return one page of the platform's endpoints.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        async with self._runtime.reads() as session:
            found = await EndpointRepository(session).list_endpoints(
                query, Cursors.of(self._runtime), query.status
            )
        return found.to_page(EndpointResponse.model_validate)

    async def get_endpoint(self, endpoint_id: UUID) -> WebhookEndpoint:
        """Return an endpoint.

        Raises:
            WebhookEndpointNotFound: there is none (404).
        """
        async with self._runtime.reads() as session:
            return await EndpointRepository(session).get_endpoint(endpoint_id)

    async def create_endpoint(
        self, new: NewEndpoint, *, actor: Principal | None = None
    ) -> tuple[WebhookEndpoint, IssuedSecret]:
        """Make an endpoint that hears events from now on; its secret is shown this once.

        Raises:
            WebhookEndpointInvalid: the address is not one that we call, or an event is unknown (422).
        """
        self._check(new.url, new.event_names)
        now, endpoint_id, secret = self._runtime.clock.now(), new_id(), new_secret(self._runtime.entropy)
        row = WebhookEndpoint(
            id=endpoint_id,
            url=new.url,
            description=new.description,
            event_names=list(new.event_names),
            sealed_secret=seal_secret(self._runtime, endpoint_id, secret),
            status=EndpointStatus.ENABLED,
            failed_runs=0,
            created_at=now,
            updated_at=now,
        )
        async with self._unit:
            endpoints = EndpointRepository(self._unit.session)
            endpoints.add(row)
            await endpoints.flush()
            self._record("created", endpoint_id, actor, {"events": list(new.event_names)})
        return row, IssuedSecret(endpoint_id, written(secret), None)

    async def change_endpoint(
        self, endpoint_id: UUID, changes: EndpointChanges, *, check_version: VersionCheck, actor: Principal
    ) -> WebhookEndpoint:
        """Change what is sent.

        Raises:
            WebhookEndpointNotFound (404), PreconditionFailed (412), WebhookEndpointInvalid (422).
        """
        values = dict(changes.values)
        self._check(values.get("url"), values.get("event_names"))
        async with self._unit:
            row = await self._locked(endpoint_id, check_version)
            for name, value in values.items():
                setattr(row, name, value)
            row.updated_at = self._runtime.clock.now()
            await EndpointRepository(self._unit.session).flush()
            self._record("updated", endpoint_id, actor, {"fields": sorted(values)})
        return row

    async def delete_endpoint(
        self, endpoint_id: UUID, *, check_version: VersionCheck, actor: Principal
    ) -> None:
        """Delete an endpoint, its messages and its log.

        Raises:
            WebhookEndpointNotFound (404), PreconditionFailed (412).
        """
        async with self._unit:
            row = await self._locked(endpoint_id, check_version)
            await EndpointRepository(self._unit.session).remove(row)
            self._record("deleted", endpoint_id, actor)

    async def enable_endpoint(self, endpoint_id: UUID, *, actor: Principal | None = None) -> WebhookEndpoint:
        """Let an endpoint hear events again; what still waits for it is sent now.

        Raises:
            WebhookEndpointNotFound: there is none (404).
        """
        async with self._unit:
            row = await self._locked(endpoint_id)
            if row.status is EndpointStatus.ENABLED:
                return row
            row.status, row.disabled_reason, row.disabled_at = EndpointStatus.ENABLED, None, None
            row.failing_since, row.failed_runs, row.resting_until = None, 0, None
            row.updated_at = self._runtime.clock.now()
            await EndpointRepository(self._unit.session).flush()
            self._record("enabled", endpoint_id, actor)
            enqueue_delivering(self._runtime, self._unit, endpoint_id)
        return row

    async def disable_endpoint(self, endpoint_id: UUID, *, actor: Principal | None = None) -> WebhookEndpoint:
        """Let an endpoint hear nothing; what waits for it is kept for a while, should it be enabled again.

        Raises:
            WebhookEndpointNotFound: there is none (404).
        """
        now, reason = self._runtime.clock.now(), DisabledReason.ADMINISTRATOR
        async with self._unit:
            row = await self._locked(endpoint_id)
            if row.status is EndpointStatus.DISABLED:
                return row
            row.status, row.disabled_reason, row.disabled_at = EndpointStatus.DISABLED, reason, now
            row.updated_at = now
            await EndpointRepository(self._unit.session).flush()
            self._record("disabled", endpoint_id, actor, {"reason": reason.value})
            event = EndpointDisabled(at=now, endpoint_id=endpoint_id, reason=reason)
            await self._runtime.get(EventBus).emit(event, self._unit)
        return row

    async def rotate_secret(self, endpoint_id: UUID, *, actor: Principal | None = None) -> IssuedSecret:
        """Give an endpoint a new secret, shown this once; for a while messages are signed under both.

        Raises:
            WebhookEndpointNotFound: there is none (404).
        """
        secret = new_secret(self._runtime.entropy)
        until = self._runtime.clock.now() + self._runtime.section(WebhooksSettings).secret_overlap
        async with self._unit:
            row = await self._locked(endpoint_id)
            row.sealed_previous_secret, row.previous_until = row.sealed_secret, until
            row.sealed_secret = seal_secret(self._runtime, endpoint_id, secret)
            row.updated_at = self._runtime.clock.now()
            self._record("secret_rotated", endpoint_id, actor)
        return IssuedSecret(endpoint_id, written(secret), until)

    async def send_test(self, endpoint_id: UUID, *, actor: Principal | None = None) -> UUID:
        """Send an endpoint a test event like any other message; return the id of the delivery.

        Raises:
            WebhookEndpointNotFound: there is none (404).
            WebhookEndpointDisabled: it is switched off (409).
        """
        now = self._runtime.clock.now()
        async with self._unit:
            row = await self._locked(endpoint_id)
            if row.status is EndpointStatus.DISABLED:
                raise WebhookEndpointDisabled
            event = OutboxEvent(new_id(), TEST_EVENT, 1, now, {"endpoint_id": str(endpoint_id)})
            delivery = delivery_row(endpoint_id, event, now)
            await DeliveryRepository(self._unit.session).write([delivery])
            row.resting_until = None
            enqueue_delivering(self._runtime, self._unit, endpoint_id)
            self._record("tested", endpoint_id, actor)
        delivery_id: UUID = delivery["id"]
        return delivery_id

    async def _locked(self, endpoint_id: UUID, check_version: VersionCheck | None = None) -> WebhookEndpoint:
        row = await EndpointRepository(self._unit.session).get_endpoint(endpoint_id, lock=True)
        if check_version is not None:
            check_version(row.version)
        return row

    def _check(self, url: str | None, event_names: Sequence[str] | None) -> None:
        if url is not None:
            self._check_url(url)
        if event_names is not None and (unknown := unknown_patterns(event_names)):
            raise WebhookEndpointInvalid(f"no event matches {unknown[0]!r}", field="event_names")

    def _check_url(self, url: str) -> None:
        try:
            target = Target.of(url)
            self._runtime.get(Outbound).check_literal(target)
        except OutboundError as error:
            raise WebhookEndpointInvalid(error.reason) from None
        allowed = self._runtime.section(WebhooksSettings).allow_http
        if target.scheme == "http" and not (
            self._runtime.settings.is_development if allowed is None else allowed
        ):
            raise WebhookEndpointInvalid("must begin with https://")

    def _record(
        self, act: str, endpoint_id: UUID, actor: Principal | None, details: dict[str, Any] | None = None
    ) -> None:
        record(
            self._runtime,
            self._unit,
            f"webhook_endpoint.{act}",
            actor=actor,
            subject=(SUBJECT, endpoint_id),
            details=details,
        )
