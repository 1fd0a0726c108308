"""Every SQL statement of the authorization server."""

from portico.oauth.repositories.administration import (
    ClientAdministrationRepository,
    ResourceAdministrationRepository,
)
from portico.oauth.repositories.clients import ClientRepository, FoundClient
from portico.oauth.repositories.consents import ConnectedClient, ConsentRepository
from portico.oauth.repositories.grants import FoundGrant, GrantRepository, GrantState
from portico.oauth.repositories.registrations import (
    ClientTaken,
    InitialTokenRepository,
    RegistrationRepository,
)
from portico.oauth.repositories.requests import FoundRequest, RequestRepository, SpentIdRepository
from portico.oauth.repositories.resources import ResourceRepository

__all__ = [
    "ClientAdministrationRepository",
    "ClientRepository",
    "ClientTaken",
    "ConnectedClient",
    "ConsentRepository",
    "FoundClient",
    "FoundGrant",
    "FoundRequest",
    "GrantRepository",
    "GrantState",
    "InitialTokenRepository",
    "RegistrationRepository",
    "RequestRepository",
    "ResourceAdministrationRepository",
    "ResourceRepository",
    "SpentIdRepository",
]
