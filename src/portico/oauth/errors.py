"""What can go wrong at the authorization server.

OAuthRefusal is rendered in the shape of RFC 6749, section 5.2, by the routes of the protocol; the others are problem
documents, like everywhere.

    OAuthRefusal               error of the RFC     400, 401, 403
    ClientNotFound             client_not_found     404
    GrantNotFound              grant_not_found      404
    ResourceNotFound           resource_not_found   404
    ResourceTaken              resource_taken       409
    UserCodeUnknown            user_code_unknown    410
    ClientMetadataInvalid      client_metadata_invalid  400
"""

from collections.abc import Mapping
from typing import ClassVar, Self

from portico.core.errors import Conflict, Gone, Malformed, NotFound, PorticoError
from portico.oauth.protocol.refusals import ErrorCode, Refused


class OAuthRefusal(PorticoError):
    """A refused request of the protocol: `error` is for programs, `detail` for people, `log` for the log only."""

    code, title, status = "oauth_refused", "The request was refused", 400

    def __init__(
        self,
        error: ErrorCode,
        description: str,
        *,
        log: str = "",
        status: int = 400,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(description, headers=headers)
        self.error = error
        self.log = log
        self.answer_status = status

    @classmethod
    def of(cls, refused: Refused) -> Self:
        """Return what a rule of the protocol refused."""
        return cls(refused.error, refused.description, log=refused.detail)


class KeptRefusal(OAuthRefusal):
    """A refusal whose traces are kept: what was revoked or counted stays so."""

    persist: ClassVar[bool] = True


class ClientNotFound(NotFound):
    """There is no such client."""

    code, title = "client_not_found", "There is no such application"


class GrantNotFound(NotFound):
    """There is no such grant of this person."""

    code, title = "grant_not_found", "There is no such connection"


class ResourceNotFound(NotFound):
    """There is no such resource."""

    code, title = "resource_not_found", "There is no such API"


class ResourceTaken(Conflict):
    """The identifier is registered."""

    code, title = "resource_taken", "This API is registered already"


class UserCodeUnknown(Gone):
    """No device waits under this code: mistyped, too late, or answered already."""

    code, title = "user_code_unknown", "No device is waiting with this code"


class ClientMetadataInvalid(Malformed):
    """What was said of a client does not hold together."""

    code, title = "client_metadata_invalid", "The application cannot be registered like this"
