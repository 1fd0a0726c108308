"""Mails about alerts: the first at once, what follows soon after it together in one.

Each reader has a mailbox. An alert is put into it in the transaction that raises it; the mail is written in another
one, together with the emptying of the box. So nobody is told twice, nobody is told nothing, and a flood of alerts is a
mail every quarter of an hour.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog

from portico.alerts.book import AlertRules
from portico.alerts.models import AlertMailbox
from portico.alerts.repositories import AlertRepository, MailboxRepository
from portico.alerts.settings import AlertsSettings
from portico.alerts.types import AlertFacts, Audience
from portico.coordination.leases import Lease
from portico.core import failpoints
from portico.core.errors import PorticoError
from portico.core.ids import PrincipalId, UserId
from portico.db.unit import Unit
from portico.mail.services import Mailer
from portico.runtime import Runtime
from portico.users.addresses import parse_address
from portico.users.services import Users
from portico.users.types import Account

log = structlog.get_logger("portico.alerts")

MOST_IN_A_MAIL: Final = 10
AT_ONCE: Final = 200


class Letter(NamedTuple):
    """That somebody is to be told of an alert."""

    user_id: UUID
    audience: Audience
    alert_id: UUID


class Mailing:
    """Fills mailboxes and empties them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._gap = runtime.section(AlertsSettings).mail_gap

    async def put(self, letters: Sequence[Letter], unit: Unit) -> None:
        """Put letters into the boxes of their readers, in the open unit."""
        if not letters:
            return
        mailboxes, now = MailboxRepository(unit.session), self._runtime.clock.now()
        boxes = await mailboxes.find({letter.user_id for letter in letters})
        for letter in letters:
            box = boxes.get((letter.user_id, letter.audience))
            if box is None:
                box = AlertMailbox(user_id=letter.user_id, audience=letter.audience, waiting=0, alert_ids=[])
                boxes[letter.user_id, letter.audience] = mailboxes.add(box)
            box.waiting += 1
            if len(box.alert_ids) < MOST_IN_A_MAIL:
                box.alert_ids = [*box.alert_ids, str(letter.alert_id)]
            if box.due_at is None:
                box.due_at = max(now, box.mailed_at + self._gap) if box.mailed_at else now

    async def send_due(self, lease: Lease) -> int:
        """Mail whoever's time has come; return how many were mailed."""
        async with self._runtime.reads() as session:
            due = await MailboxRepository(session).list_due(self._runtime.clock.now(), AT_ONCE)
        sent = 0
        for user_id, audience in due:
            if lease.is_lost:
                break
            try:
                sent += await self._send(user_id, audience, lease)
            except PorticoError as error:  # an address that mail refuses keeps nobody else waiting
                log.warning("alert_mail_failed", user=str(user_id), error=error.code)
        return sent

    async def _send(self, user_id: UUID, audience: Audience, lease: Lease) -> bool:
        person = await Users(self._runtime, self._runtime.unit()).find_user(UserId(PrincipalId(user_id)))
        async with (unit := self._runtime.unit()):
            lease.fence(unit)
            now = self._runtime.clock.now()
            box = await MailboxRepository(unit.session).lock_due(user_id, audience, now)
            if box is None:
                return False
            ids = [UUID(alert_id) for alert_id in box.alert_ids]
            alerts = await AlertRepository(unit.session).list_by_id(ids)
            more = box.waiting - len(box.alert_ids)
            box.waiting, box.alert_ids, box.due_at, box.mailed_at = 0, [], None, now
            if person is None or not person.is_active or not alerts:
                return False
            self._enqueue(unit, person, audience, alerts, more)
            if failpoints.armed:
                await failpoints.reach("alerts.mail.after_enqueue")
        return True

    def _enqueue(
        self, unit: Unit, person: Account, audience: Audience, alerts: Sequence[AlertFacts], more: int
    ) -> None:
        public_url = self._runtime.settings.public_url
        self._runtime.get(Mailer).enqueue(
            unit,
            template="security_alert",
            to=parse_address(person.email).deliverable,
            locale=person.locale,
            context={
                "name": person.full_name or person.username,
                "timezone": person.timezone,
                "is_own": audience is Audience.PERSON,
                "is_of_organization": audience is Audience.OWNERS,
                "alerts": [self._shown(alert, person.locale) for alert in alerts],
                "more": more,
                "security_url": f"{public_url}/account/security",
                "password_url": f"{public_url}/account/password",
            },
        )

    def _shown(self, alert: AlertFacts, locale: str) -> dict[str, Any]:
        rule = self._runtime.get(AlertRules).by_name.get(alert.rule)
        return {
            "id": str(alert.id),
            "title": rule.title if rule else alert.rule,
            "description": rule.description if rule else "",
            "count": alert.count if alert.count > 1 else None,
            "at": alert.last_at,
            "country": country_name(alert.details.get("country"), locale),
            "organization": str(alert.organization_id) if alert.organization_id else None,
            "about": f"{alert.subject_type} {alert.subject_id}" if alert.subject_id else None,
        }


def country_name(code: object, language: str) -> str | None:
    """Return a country's name in a language: `DE` is "Germany"."""
    if not isinstance(code, str):
        return None
    from babel import Locale, UnknownLocaleError  # 30 ms that nobody else needs

    try:
        return str(Locale.parse(language).territories.get(code, code))
    except (UnknownLocaleError, ValueError):
        return code
