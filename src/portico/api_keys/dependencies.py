"""What the routes of keys ask for."""

from typing import Annotated, Final

from fastapi import Depends

from portico.access.policies import signed_in_within
from portico.api_keys.services import ApiKeys, Honeytokens, ServiceAccounts
from portico.api_keys.types import FRESH_WITHIN
from portico.http.dependencies import service

ApiKeysDep = Annotated[ApiKeys, Depends(service(ApiKeys))]
HoneytokensDep = Annotated[Honeytokens, Depends(service(Honeytokens))]
ServiceAccountsDep = Annotated[ServiceAccounts, Depends(service(ServiceAccounts))]

FRESH: Final = signed_in_within(FRESH_WITHIN)
"""Whoever gets the text of a key must have proven lately who he is."""
