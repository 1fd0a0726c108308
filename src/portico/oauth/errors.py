"""What can go wrong at the authorization server.

OAuthRefusal is rendered in the shape of RFC 6749, section 5.2, by the routes of the protocol; the others are problem
documents, like everywhere.

    OAuthRefusal               error of the RFC     400, 401, 403
    ClientNotFound             client_not_found     404
    GrantNotFound              grant_not_found      404
    ResourceNotFound           resource_not_found   404
    ResourceTaken              resource_taken       409
    UserCodeUnknown            user_code_unknown    410
    ClientKeptOut              client_kept_out      403
    ClientMetadataInvalid      client_metadata_invalid  400
    ClientDescribesItself      client_describes_itself  409
    ClientHasNoSecret          client_has_no_secret     409
    ClientSecretNotFound       client_secret_not_found  404
    TooManyClientSecrets       too_many_client_secrets  409
    TooManyClients             too_many_clients         409
    ResourceInvalid            resource_invalid         400
    InitialTokenNotFound       initial_token_not_found  404
"""

from collections.abc import Mapping
from typing import ClassVar, Self

from portico.core.errors import Conflict, Forbidden, Gone, Malformed, NotFound, PorticoError
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


class ClientKeptOut(Forbidden):
    """The organization in which the person works, or wants the client to work, does not let it in."""

    code, title = "client_kept_out", "The organization does not let this application in"


class ClientMetadataInvalid(Malformed):
    """What was said of a client does not hold together."""

    code, title = "client_metadata_invalid", "The application cannot be registered like this"


class ClientDescribesItself(Conflict):
    """What the client is stands in its own registration or document; only what we decide of it can be changed."""

    code, title = (
        "client_describes_itself",
        "This application describes itself: change it where it comes from",
    )


class ClientHasNoSecret(Conflict):
    """The client proves itself by a key, a certificate, or not at all."""

    code, title = "client_has_no_secret", "This application does not use a secret"


class ClientSecretNotFound(NotFound):
    """The client has no such secret."""

    code, title = "client_secret_not_found", "The application has no such secret"


class TooManyClientSecrets(Conflict):
    """As many secrets are good at once as the limit allows."""

    code, title = "too_many_client_secrets", "Remove a secret before you make another one"


class TooManyClients(Conflict):
    """The organization has as many clients as the limit allows."""

    code, title = "too_many_clients", "Delete an application before you register another one"


class ResourceInvalid(Malformed):
    """An API cannot be registered as it was described."""

    code, title = "resource_invalid", "The API cannot be registered like this"


class InitialTokenNotFound(NotFound):
    """There is no such initial access token, or it is good no more."""

    code, title = "initial_token_not_found", "There is no such token"
