"""What somebody wants who signs up, from what was sent: by the API and by the pages alike."""

from portico.core.context import current_request
from portico.credentials.schemas import RegistrationRequest, SetupRequest
from portico.credentials.services import NewRegistration
from portico.users.addresses import parse_address
from portico.users.names import parse_full_name
from portico.users.services import Users
from portico.users.usernames import parse_username


def wish_of(body: RegistrationRequest | SetupRequest, users: Users) -> NewRegistration:
    """Read address, names and language; the browser's language where none is asked for.

    Raises:
        EmailMalformed, UsernameMalformed, ProfileInvalid: a value is not valid (422).
    """
    invitation = body.invitation if isinstance(body, RegistrationRequest) else None
    return NewRegistration(
        email=parse_address(body.email),
        password=body.password.get_secret_value(),
        username=parse_username(body.username) if body.username is not None else None,
        full_name=parse_full_name(body.full_name),
        locale=users.choose_locale(body.locale, current_request().accept_language),
        invitation=invitation.get_secret_value() if invitation else None,
    )
