"""The use cases of credentials: sign-up, proofs by password, change and recovery, invitations, the first administrator.

The functions at the end are for the command line, which has a runtime and no request.
"""

from portico.credentials.services.admission import RegistrationTokens, TokenAdmission
from portico.credentials.services.changes import WELCOME, AddressProofs, PasswordChange, PasswordRecovery
from portico.credentials.services.guessing import GuessesUnderWay, Guessing
from portico.credentials.services.proofs import PasswordProof, PasswordProofs, PasswordReauthentication
from portico.credentials.services.registration import NewRegistration, Registration, Setup
from portico.credentials.services.seeding import seed_people
from portico.runtime import Runtime
from portico.users.addresses import parse_address
from portico.users.types import Account
from portico.users.usernames import parse_username

__all__ = [
    "WELCOME",
    "AddressProofs",
    "GuessesUnderWay",
    "Guessing",
    "NewRegistration",
    "PasswordChange",
    "PasswordProof",
    "PasswordProofs",
    "PasswordReauthentication",
    "PasswordRecovery",
    "Registration",
    "RegistrationTokens",
    "Setup",
    "TokenAdmission",
    "create_administrator",
    "issue_setup_link",
    "seed_people",
]


async def issue_setup_link(runtime: Runtime) -> str | None:
    """Return a one-time link that makes the first administrator; None where there is one."""
    return await Setup(runtime, runtime.unit()).issue_link()


async def create_administrator(
    runtime: Runtime, *, email: str, password: str, username: str | None = None, full_name: str | None = None
) -> Account:
    """Make an administrator whose address counts as proven.

    Raises:
        EmailMalformed, UsernameMalformed: not valid (422).
        EmailTaken, UsernameTaken: by a living person (409).
        PasswordRejected: the policy does not take the password (400).
    """
    wish = NewRegistration(
        email=parse_address(email),
        password=password,
        username=parse_username(username) if username else None,
        full_name=full_name,
    )
    return await Setup(runtime, runtime.unit()).create_administrator(wish)
