"""Every SQL statement of the authorization server."""

from portico.oauth.repositories.administration import (
    ClientAdministrationRepository,
    ResourceAdministrationRepository,
)
from portico.oauth.repositories.clients import ClientRepository, FoundClient
from portico.oauth.repositories.connections import ConnectionRepository, FoundConnection
from portico.oauth.repositories.consents import ConnectedClient, ConsentRepository
from portico.oauth.repositories.grants import FoundGrant, GrantRepository, GrantState
from portico.oauth.repositories.organization_rules import (
    ClientInOrganization,
    FoundWorkplace,
    RuleRepository,
)
from portico.oauth.repositories.registrations import (
    ClientTaken,
    InitialTokenRepository,
    RegistrationRepository,
)
from portico.oauth.repositories.requests import FoundRequest, RequestRepository, SpentIdRepository
from portico.oauth.repositories.resources import ResourceRepository
from portico.oauth.repositories.token_trips import TokenTrips

__all__ = [
    "ClientAdministrationRepository",
    "ClientInOrganization",
    "ClientRepository",
    "ClientTaken",
    "ConnectedClient",
    "ConnectionRepository",
    "ConsentRepository",
    "FoundClient",
    "FoundConnection",
    "FoundGrant",
    "FoundRequest",
    "FoundWorkplace",
    "GrantRepository",
    "GrantState",
    "InitialTokenRepository",
    "RegistrationRepository",
    "RequestRepository",
    "ResourceAdministrationRepository",
    "ResourceRepository",
    "RuleRepository",
    "SpentIdRepository",
    "TokenTrips",
]
