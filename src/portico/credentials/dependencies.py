"""FastAPI wiring of credentials."""

from typing import Annotated

from fastapi import Depends

from portico.credentials.services import PasswordChange, PasswordRecovery, Registration, Setup
from portico.http.dependencies import service
from portico.users.services import Users

RegistrationDep = Annotated[Registration, Depends(service(Registration))]
PasswordChangeDep = Annotated[PasswordChange, Depends(service(PasswordChange))]
PasswordRecoveryDep = Annotated[PasswordRecovery, Depends(service(PasswordRecovery))]
SetupDep = Annotated[Setup, Depends(service(Setup))]
UsersDep = Annotated[Users, Depends(service(Users))]
