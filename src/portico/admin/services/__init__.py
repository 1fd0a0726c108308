"""The use cases of administrators."""

from portico.admin.services.invitations import Invitations
from portico.admin.services.overview import Overview
from portico.admin.services.people import People, WantedPerson
from portico.admin.services.totals import Totals
from portico.admin.services.work import Work

__all__ = ["Invitations", "Overview", "People", "Totals", "WantedPerson", "Work"]
