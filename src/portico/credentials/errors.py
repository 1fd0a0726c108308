"""What can go wrong with passwords, sign-up and recovery.

PasswordRejected              password_rejected           400   the policy; `errors` states each reason
PasswordUnreadable            password_unreadable         400   over 1,024 bytes, or not text
InvalidCredentials            invalid_credentials         401   kept
PasswordIncorrect             password_incorrect          403   kept
TooManyAttempts               too_many_attempts           429
HashingBusy                   hashing_busy                503
RegistrationClosed            registration_closed         403
InvitationRequired            invitation_required         403
InvitationInvalid             invitation_invalid          400
SetupFinished                 setup_finished              409
"""

from collections.abc import Sequence

from portico.core.errors import (
    Conflict,
    FieldFault,
    Forbidden,
    Malformed,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
)


class PasswordRejected(Malformed):
    """The policy does not take the password; each reason is told (NIST SP 800-63B-4, section 3.1.1.2)."""

    code, title = "password_rejected", "Choose another password"

    def __init__(self, reasons: Sequence[tuple[str, str]] = (), *, field: str = "password") -> None:
        faults = [FieldFault(code, message, field) for code, message in reasons]
        super().__init__(" ".join(fault.message for fault in faults) or None, errors=faults)


class PasswordUnreadable(Malformed):
    """Longer than 1,024 bytes, or no text; refused before any hashing."""

    code, title = "password_unreadable", "A password has at most 1024 bytes of text"


class InvalidCredentials(Unauthenticated):
    """Unknown name or wrong password, always the same answer. Kept: the guess is on the trail."""

    code, title = "invalid_credentials", "The name or the password is wrong"
    persist = True


class PasswordIncorrect(Forbidden):
    """The password that was to confirm an act is wrong. Kept: the guess is on the trail."""

    code, title = "password_incorrect", "The password is wrong"
    persist = True


class TooManyAttempts(RateLimited):
    """Guessing is blocked for now; recovery by mail stays open. The same for names that nobody has."""

    code, title = "too_many_attempts", "Too many attempts, try again later or reset your password by e-mail"
    persist = True


class HashingBusy(Unavailable):
    """More passwords wait to be hashed than the queue holds; refused at once."""

    code, title = "hashing_busy", "Too many people are signing in just now, try again in a moment"


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
