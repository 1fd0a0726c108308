"""Writing what a batch came to: counters, alerts, events, and who is to be mailed, in the follower's transaction."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import structlog

from portico.access.services import list_owners, list_superusers
from portico.alerts.events import SecurityAlertRaised
from portico.alerts.metrics import ALERTS
from portico.alerts.ports import AlertMeter
from portico.alerts.repositories import AlertRepository, CounterRepository
from portico.alerts.services.hearing import Hearing, Raised
from portico.alerts.services.mailing import Letter, Mailing
from portico.alerts.types import AlertStatus, Audience
from portico.core.ids import OrganizationId
from portico.core.metrics import Metrics
from portico.db.unit import Unit
from portico.messaging import EventBus
from portico.runtime import Runtime

log = structlog.get_logger("portico.alerts")

MOST_TOLD = 20
"""How many owners or administrators are mailed about one alert."""


class Raising:
    """Writes into the open unit."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._known: dict[UUID | None, Sequence[UUID]] = {}

    async def write(self, hearing: Hearing) -> None:
        """Write all of it; what follows the commit is said after it."""
        await CounterRepository(self._unit.session).put(hearing.states)
        alerts, raised = AlertRepository(self._unit.session), list(hearing.raised.values())
        await alerts.add_raised([self._row(alert) for alert in raised])
        await alerts.go_on([
            {"alert": alert_id, "more": more.more, "entry": more.last_entry_id, "at": more.last_at}
            for alert_id, more in sorted(hearing.gone_on.items())
        ])  # fmt: skip
        letters = []
        for alert in raised:
            await self._runtime.get(EventBus).emit(self._event(alert), self._unit)
            letters += [letter async for letter in self._letters(alert)]
        await Mailing(self._runtime).put(letters, self._unit)
        if raised:
            self._unit.after_commit(lambda: self._tell(raised))

    def _row(self, alert: Raised) -> dict[str, Any]:
        heard, subject = alert.heard, alert.heard.group.subject
        return {
            "id": alert.id,
            "rule": heard.rule.name,
            "severity": heard.rule.severity,
            "organization_id": heard.entry.organization_id,
            "subject_type": subject and subject[0],
            "subject_id": subject and subject[1],
            "group_key": heard.key[1],
            "first_entry_id": alert.first_entry_id,
            "last_entry_id": alert.last_entry_id,
            "count": alert.count,
            "details": heard.rule.details(heard.entry),
            "first_at": alert.first_at,
            "last_at": alert.last_at,
            "raised_at": self._runtime.clock.now(),
            "status": AlertStatus.OPEN,
        }

    def _event(self, alert: Raised) -> SecurityAlertRaised:
        heard, subject = alert.heard, alert.heard.group.subject
        return SecurityAlertRaised(
            at=self._runtime.clock.now(),
            alert_id=alert.id,
            rule=heard.rule.name,
            severity=heard.rule.severity,
            organization_id=heard.entry.organization_id,
            subject_type=subject and subject[0],
            subject_id=subject and subject[1],
            count=alert.count,
            first_entry_id=alert.first_entry_id,
            last_entry_id=alert.last_entry_id,
        )

    async def _letters(self, alert: Raised) -> Any:
        rule, entry, subject = alert.heard.rule, alert.heard.entry, alert.heard.group.subject
        if rule.is_told_elsewhere(entry):
            return
        for wanted in rule.tells:
            audience, readers = await self._readers(alert, wanted)
            for user_id in readers:
                if rule.tells_subject or subject is None or user_id != subject[1]:
                    yield Letter(user_id, audience, alert.id)

    async def _readers(self, alert: Raised, audience: Audience) -> tuple[Audience, Iterable[UUID]]:
        subject, organization_id = alert.heard.group.subject, alert.heard.entry.organization_id
        if audience is Audience.PERSON and subject is not None and subject[0] == "user":
            return audience, [subject[1]]
        if audience is Audience.OWNERS and organization_id is not None:
            owners = await self._owners(organization_id)
            if owners:
                return audience, owners
        return Audience.ADMINISTRATORS, await self._administrators()

    async def _owners(self, organization_id: UUID) -> Sequence[UUID]:
        if organization_id not in self._known:
            found = await list_owners(self._unit.session, OrganizationId(organization_id))
            self._known[organization_id] = found[:MOST_TOLD]
        return self._known[organization_id]

    async def _administrators(self) -> Sequence[UUID]:
        if None not in self._known:
            self._known[None] = (await list_superusers(self._unit.session))[:MOST_TOLD]
        return self._known[None]

    async def _tell(self, raised: Iterable[Raised]) -> None:
        meter = self._runtime.find(AlertMeter)
        for alert in raised:
            event = self._event(alert)
            log.warning(
                "security_alert",
                alert=str(alert.id),
                rule=event.rule,
                severity=event.severity.value,
                organization=str(event.organization_id) if event.organization_id else None,
                subject=f"{event.subject_type}:{event.subject_id}" if event.subject_id else None,
                count=event.count,
                first_entry=str(event.first_entry_id),
            )
            self._runtime.get(Metrics).count(ALERTS, event.rule, event.severity.value)
            if meter is not None:
                meter.raised(event.rule, event.severity)
