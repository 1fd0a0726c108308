"""FastAPI wiring of people."""

from typing import Annotated

from fastapi import Depends

from portico.http.dependencies import service
from portico.users.services import EmailAddresses, PersonalDataExport, Users

UsersDep = Annotated[Users, Depends(service(Users))]
EmailAddressesDep = Annotated[EmailAddresses, Depends(service(EmailAddresses))]
PersonalDataExportDep = Annotated[PersonalDataExport, Depends(service(PersonalDataExport))]
