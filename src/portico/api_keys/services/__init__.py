"""The use cases of API keys and service accounts."""

from portico.api_keys.services.believed import BelievedKeys, KeyRefused
from portico.api_keys.services.ending import KeyEnding
from portico.api_keys.services.honeytokens import Honeytokens
from portico.api_keys.services.housekeeping import expire_keys, note_use, remind_of_ends, sweep_dead_keys
from portico.api_keys.services.keys import ApiKeys
from portico.api_keys.services.service_accounts import ServiceAccounts

__all__ = [
    "ApiKeys",
    "BelievedKeys",
    "Honeytokens",
    "KeyEnding",
    "KeyRefused",
    "ServiceAccounts",
    "expire_keys",
    "note_use",
    "remind_of_ends",
    "sweep_dead_keys",
]
