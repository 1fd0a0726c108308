"""What can go wrong with passwords, sign-up and recovery.

Those marked `users` stand there, because routes of people describe them too: they reach them through a port.

PasswordRejected              password_rejected           400   the policy; `errors` states each reason
PasswordUnreadable (users)    password_unreadable         400   over 1,024 bytes, or not text
InvalidCredentials            invalid_credentials         401   kept
PasswordIncorrect (users)     password_incorrect          403   kept
TooManyAttempts (users)       too_many_attempts           429   kept
HashingBusy (users)           hashing_busy                503
RegistrationClosed            registration_closed         403
InvitationRequired            invitation_required         403
InvitationInvalid             invitation_invalid          400
SetupFinished                 setup_finished              409
"""

from collections.abc import Sequence

from portico.core.errors import Conflict, FieldFault, Forbidden, Malformed, NotFound, Unauthenticated
from portico.users.errors import HashingBusy, PasswordIncorrect, PasswordUnreadable, TooManyAttempts

__all__ = [
    "HashingBusy",
    "InvalidCredentials",
    "InvitationInvalid",
    "InvitationRequired",
    "PasswordIncorrect",
    "PasswordRejected",
    "PasswordUnreadable",
    "RegistrationClosed",
    "RegistrationTokenNotFound",
    "SetupFinished",
    "TooManyAttempts",
]


class PasswordRejected(Malformed):
    """The policy does not take the password; each reason is told (NIST SP 800-63B-4, section 3.1.1.2)."""

    code, title = "password_rejected", "Choose another password"

    def __init__(self, reasons: Sequence[tuple[str, str]] = (), *, field: str = "password") -> None:
        faults = [FieldFault(code, message, field) for code, message in reasons]
        super().__init__(" ".join(fault.message for fault in faults) or None, errors=faults)


class InvalidCredentials(Unauthenticated):
    """Unknown name or wrong password, always the same answer. Kept: the guess is on the trail."""

    code, title = "invalid_credentials", "The name or the password is wrong"
    persist = True


class RegistrationClosed(Forbidden):
    """Nobody may sign up here."""

    code, title = "registration_closed", "Sign-up is closed"


class InvitationRequired(Forbidden):
    """Sign-up is by invitation, and none was given."""

    code, title = "invitation_required", "Sign-up needs an invitation"


class InvitationInvalid(Malformed):
    """The invitation is unknown, used up, withdrawn or expired."""

    code, title = "invitation_invalid", "This invitation is not valid"

    def __init__(self) -> None:
        super().__init__(errors=[FieldFault(self.code, self.title, "invitation")])


class RegistrationTokenNotFound(NotFound):
    """There is no such registration token."""

    code, title = "registration_token_not_found", "There is no such registration token"


class SetupFinished(Conflict):
    """The deployment has an administrator already."""

    code, title = "setup_finished", "The first administrator exists already"
