"""What the trail holds of a person, for erasure: places and devices; its ids mean nobody once he is erased."""

from portico.audit.repositories import AuditRepository
from portico.core.ids import UserId
from portico.db.unit import Unit
from portico.feature import PersonalData
from portico.runtime import Runtime


async def erase_places(user_id: UserId, unit: Unit, runtime: Runtime) -> None:
    """Forget from where the person acted; the acts stay on the trail."""
    del runtime
    await AuditRepository(unit.session).forget_person(user_id)


AUDIT_PERSONAL_DATA = (PersonalData(section="trail", erase=erase_places),)
