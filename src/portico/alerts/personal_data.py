"""What alerts hold of a person, for export and erasure: the acts stay, by an id of nobody."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portico.alerts.catalogue import RULES
from portico.alerts.repositories import AlertRepository, CounterRepository, MailboxRepository
from portico.alerts.rules import person_key
from portico.alerts.services import group_key
from portico.core.ids import UserId
from portico.db.unit import Unit
from portico.feature import PersonalData
from portico.runtime import Runtime

OWN = frozenset(rule.name for rule in RULES if rule.is_own)


async def export_alerts(user_id: UserId, session: AsyncSession) -> list[dict[str, Any]]:
    """Return what was raised about the person's own account, the newest first."""
    found = await AlertRepository(session).list_of_person(user_id, OWN, only_open=False, limit=None)
    return [
        {
            "rule": alert.rule,
            "count": alert.count,
            "details": alert.details,
            "first_at": alert.first_at.isoformat(),
            "last_at": alert.last_at.isoformat(),
            "status": alert.status.value,
        }
        for alert in found
    ]


async def erase_alerts(user_id: UserId, unit: Unit, runtime: Runtime) -> None:
    """Take from alerts what is more than ids and counts; forget what rules remember of the person, and his mail."""
    await AlertRepository(unit.session).erase_person(user_id)
    await CounterRepository(unit.session).forget(group_key(runtime, person_key(user_id)))
    await MailboxRepository(unit.session).forget(user_id)


ALERTS_PERSONAL_DATA = (PersonalData(section="alerts", export=export_alerts, erase=erase_alerts),)
