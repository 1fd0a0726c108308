"""Every SQL statement of API keys and service accounts."""

from portico.api_keys.repositories.believing import FoundKey, KeyReader
from portico.api_keys.repositories.housekeeping import HousekeepingRepository
from portico.api_keys.repositories.keys import KeyRepository
from portico.api_keys.repositories.service_accounts import ServiceAccountRepository

__all__ = ["FoundKey", "HousekeepingRepository", "KeyReader", "KeyRepository", "ServiceAccountRepository"]
