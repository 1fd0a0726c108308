"""What people do with alerts: read them, take them on, say that they are dealt with."""

from collections.abc import Callable, Collection
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from portico.alerts.book import AlertRules
from portico.alerts.errors import AlertResolved
from portico.alerts.models import Alert
from portico.alerts.repositories import AlertRepository, facts_of
from portico.alerts.schemas import (
    AlertQuery,
    AlertResponse,
    OrganizationAlertQuery,
    OwnAlertQuery,
    OwnAlertResponse,
)
from portico.alerts.types import AlertFacts, AlertFilter, AlertStatus, RuleTotal
from portico.audit.services import record
from portico.core.ids import OrganizationId, UserId
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.http.pagination import Cursors, Page
from portico.runtime import Runtime

ALL = "GET /admin/alerts"
OF_ORGANIZATION = "GET /organizations/{organization_id}/alerts"
OWN = "GET /users/me/alerts"
MOST_SHOWN = 50

type Scope = AlertFilter
"""Which alerts the caller has to do with; others are not there for him."""

EVERYWHERE = AlertFilter()


class Alerts:
    """The alerts, for those who may see them: `scope` says of which he may know."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._rules = runtime.get(AlertRules)

    async def list_alerts(self, query: AlertQuery) -> Page[AlertResponse]:
        """Return one page of all alerts.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        return await self._page(query, query.filter, ALL, self.shown)

    async def list_of_organization(
        self, organization_id: OrganizationId, query: OrganizationAlertQuery
    ) -> Page[AlertResponse]:
        """Return one page of an organization's alerts; a cursor of another organization is refused.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        route = f"{OF_ORGANIZATION} {organization_id}"
        return await self._page(query, query.filter_in(organization_id), route, self.shown)

    async def list_own(self, user_id: UserId, query: OwnAlertQuery) -> Page[OwnAlertResponse]:
        """Return one page of what concerns a person's own account.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        where = AlertFilter(
            subject_id=user_id, rules=self._rules.own, status=query.status, rule=query.q or None
        )
        return await self._page(query, where, f"{OWN} {user_id}", self.shown_to_person)

    async def list_open_of(self, user_id: UserId) -> list[AlertFacts]:
        """Return what a person has not answered yet of what concerns his account, the newest first."""
        async with self._runtime.reads() as session:
            return await AlertRepository(session).list_of_person(
                user_id, self._rules.own, only_open=True, limit=MOST_SHOWN
            )

    async def get_alert(self, alert_id: UUID, scope: Scope = EVERYWHERE) -> AlertResponse:
        """Return one.

        Raises:
            AlertNotFound: there is none in the scope (404).
        """
        async with self._runtime.reads() as session:
            return self.shown(await AlertRepository(session).get(alert_id, scope))

    async def acknowledge(
        self, alert_id: UUID, scope: Scope = EVERYWHERE, *, actor: Principal | None
    ) -> AlertResponse:
        """Say that somebody is at it; what is acknowledged already stays as it is.

        Raises:
            AlertNotFound: there is none in the scope (404).
            AlertResolved: it is dealt with (409).
        """
        async with self._unit:
            row = await AlertRepository(self._unit.session).lock(alert_id, scope)
            if row.status is AlertStatus.RESOLVED:
                raise AlertResolved
            if row.status is AlertStatus.OPEN:
                row.status, row.acknowledged_at = AlertStatus.ACKNOWLEDGED, self._runtime.clock.now()
                row.acknowledged_by = _who(actor)
                self._record("alert.acknowledged", row, actor)
            return self.shown(facts_of(row))

    async def resolve(
        self,
        alert_id: UUID,
        note: str | None = None,
        scope: Scope = EVERYWHERE,
        *,
        actor: Principal | None,
    ) -> AlertResponse:
        """Say that it is dealt with; a note on a resolved one takes the place of the note before.

        Raises:
            AlertNotFound: there is none in the scope (404).
        """
        async with self._unit:
            row = await AlertRepository(self._unit.session).lock(alert_id, scope)
            if row.status is not AlertStatus.RESOLVED:
                row.status, row.resolved_at = AlertStatus.RESOLVED, self._runtime.clock.now()
                row.resolved_by = _who(actor)
                self._record("alert.resolved", row, actor)
            if note is not None:
                row.note = note
            return self.shown(facts_of(row))

    async def resolve_own(self, alert_id: UUID, *, actor: Principal) -> OwnAlertResponse:
        """Say that it was oneself.

        Raises:
            AlertNotFound: there is none about one's own account (404).
        """
        scope = AlertFilter(subject_id=actor.id, rules=self._rules.own)
        return _without_handling(await self.resolve(alert_id, None, scope, actor=actor))

    async def totals(self, since: datetime) -> list[RuleTotal]:
        """Return how often each rule has spoken since then, and how many of its alerts are open."""
        async with self._runtime.reads() as session:
            return await AlertRepository(session).totals(since)

    def shown(self, alert: AlertFacts) -> AlertResponse:
        """Return an alert as those see it who look after it."""
        rule = self._rules.by_name.get(alert.rule)
        words = {"title": rule.title if rule else alert.rule, "description": rule.description if rule else ""}
        return AlertResponse.model_validate({**asdict(alert), **words})

    def shown_to_person(self, alert: AlertFacts) -> OwnAlertResponse:
        """Return an alert as the person sees it whose account it is about."""
        return _without_handling(self.shown(alert))

    async def _page[T](
        self,
        query: OrganizationAlertQuery | OwnAlertQuery,
        where: AlertFilter,
        route: str,
        shown: Callable[[AlertFacts], T],
    ) -> Page[T]:
        async with self._runtime.reads() as session:
            found = await AlertRepository(session).list_page(query, where, Cursors.of(self._runtime), route)
        return found.to_page(shown)

    def _record(self, action: str, row: Alert, actor: Principal | None) -> None:
        record(
            self._runtime,
            self._unit,
            action,
            actor=actor,
            subject=("alert", row.id),
            organization_id=row.organization_id,
            details={"rule": row.rule},
        )


def _who(actor: Principal | None) -> UUID | None:
    return (actor.actor_id or actor.id) if actor is not None else None


def _without_handling(alert: AlertResponse) -> OwnAlertResponse:
    names: Collection[str] = OwnAlertResponse.model_fields
    return OwnAlertResponse(**{name: getattr(alert, name) for name in names})
