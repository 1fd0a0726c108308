"""What the admin routes ask for. Every one of them has its caller read from the database anew."""

from typing import Annotated

from fastapi import Depends

from portico.admin.services import Invitations, Overview, People, Work
from portico.credentials.services import RegistrationTokens
from portico.http.dependencies import service
from portico.sessions.dependencies import fresh_principal
from portico.sessions.services import Impersonations, Sessions

PeopleDep = Annotated[People, Depends(service(People))]
OverviewDep = Annotated[Overview, Depends(service(Overview))]
WorkDep = Annotated[Work, Depends(service(Work))]
InvitationsDep = Annotated[Invitations, Depends(service(Invitations))]
RegistrationTokensDep = Annotated[RegistrationTokens, Depends(service(RegistrationTokens))]
ImpersonationsDep = Annotated[Impersonations, Depends(service(Impersonations))]
SessionsDep = Annotated[Sessions, Depends(service(Sessions))]

NO_CACHE = Depends(fresh_principal)
"""Stands before `requires(…)`, so that the permission is asked of what the database says now."""
