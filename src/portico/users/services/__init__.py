"""The use cases of people: accounts, addresses, export and erasure."""

from portico.users.services.accounts import NewUser, ProfileChanges, Users
from portico.users.services.addresses import EmailAddresses
from portico.users.services.export import PersonalDataExport
from portico.users.services.lifecycle import UserLifecycle
from portico.users.services.seeding import UserSeeding

__all__ = [
    "EmailAddresses",
    "NewUser",
    "PersonalDataExport",
    "ProfileChanges",
    "UserLifecycle",
    "UserSeeding",
    "Users",
]
