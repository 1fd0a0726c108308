"""What the routes of organizations ask for."""

from typing import Annotated

from fastapi import Depends, Path

from portico.core.ids import OrganizationId
from portico.http.dependencies import service
from portico.organizations.services import (
    Members,
    OrganizationLifecycle,
    Organizations,
    Roles,
    SignInSettings,
    Switching,
    Teams,
)

OrganizationsDep = Annotated[Organizations, Depends(service(Organizations))]
LifecycleDep = Annotated[OrganizationLifecycle, Depends(service(OrganizationLifecycle))]
MembersDep = Annotated[Members, Depends(service(Members))]
RolesDep = Annotated[Roles, Depends(service(Roles))]
TeamsDep = Annotated[Teams, Depends(service(Teams))]
SettingsDep = Annotated[SignInSettings, Depends(service(SignInSettings))]
SwitchingDep = Annotated[Switching, Depends(service(Switching))]


OrganizationPath = Annotated[OrganizationId, Path()]
"""The organization that the path names; whether the caller may, `requires(…)` has asked before."""
OrganizationDep = OrganizationPath
