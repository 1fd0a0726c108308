"""What the routes of administrators and organizations ask for."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends

from portico.access.policies import signed_in_within
from portico.http.dependencies import service
from portico.oauth.services.client_administration import ClientAdministration
from portico.oauth.services.initial_tokens import InitialTokens
from portico.oauth.services.resource_administration import ResourceAdministration
from portico.oauth.services.secret_rotation import SecretRotation

ClientAdministrationDep = Annotated[ClientAdministration, Depends(service(ClientAdministration))]
SecretRotationDep = Annotated[SecretRotation, Depends(service(SecretRotation))]
ResourceAdministrationDep = Annotated[ResourceAdministration, Depends(service(ResourceAdministration))]
InitialTokensDep = Annotated[InitialTokens, Depends(service(InitialTokens))]

FRESH: Final = signed_in_within(timedelta(minutes=10))
"""Whoever gets a secret, or says where codes are sent to, must have proven lately who he is."""
