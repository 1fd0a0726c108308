"""What the trail holds of a person, for erasure: places, devices, names; its ids mean nobody once he is erased."""

from portico.audit.services.erasing import erase_person
from portico.feature import PersonalData

AUDIT_PERSONAL_DATA = (PersonalData(section="trail", erase=erase_person),)
