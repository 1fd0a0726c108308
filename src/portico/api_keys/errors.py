"""What can go wrong with API keys and service accounts.

ApiKeyNotFound           api_key_not_found          404
ServiceAccountNotFound   service_account_not_found  404
ApiKeyInvalid            api_key_invalid            422   `errors` names the field
ApiKeyOver               api_key_over               409   revoked or expired: it can neither be changed nor rotated
ApiKeyRotated            api_key_rotated            409   a newer one took its place already
TooManyApiKeys           too_many_api_keys          409
TooManyServiceAccounts   too_many_service_accounts  409

A key that is no good gets 401 and one of two reasons: `api_key_expired`, or `api_key_rejected` for all else.
"""

from portico.core.errors import Conflict, FieldFault, Invalid, NotFound


class ApiKeyNotFound(NotFound):
    """There is no such key, or it is somebody else's."""

    code, title = "api_key_not_found", "There is no such API key"


class ServiceAccountNotFound(NotFound):
    """The organization has no such service account."""

    code, title = "service_account_not_found", "There is no such service account"


class ApiKeyInvalid(Invalid):
    """A key cannot be as it was wished for."""

    code, title = "api_key_invalid", "The API key cannot be like this"

    def __init__(self, message: str = "", *, field: str = "scopes") -> None:
        super().__init__(errors=[FieldFault("invalid", message, field)] if message else ())


class ApiKeyOver(Conflict):
    """The key is revoked or has expired; make a new one."""

    code, title = "api_key_over", "This API key is over: make a new one"


class ApiKeyRotated(Conflict):
    """The key was rotated before; rotate the newer one."""

    code, title = "api_key_rotated", "A newer API key took the place of this one already"


class TooManyApiKeys(Conflict):
    """There are as many living keys as the limit allows."""

    code, title = "too_many_api_keys", "Revoke an API key before you make another one"


class TooManyServiceAccounts(Conflict):
    """The organization has as many service accounts as the limit allows."""

    code, title = "too_many_service_accounts", "Delete a service account before you make another one"
