"""What can go wrong with people and their addresses.

EmailMalformed                email_malformed             422
UsernameMalformed             username_malformed          422
ProfileInvalid                profile_invalid             422
EmailTaken                    email_taken                 409
UsernameTaken                 username_taken              409
EmailAlreadyVerified          email_already_verified      409
UserNotFound                  user_not_found              404
ReauthenticationRequired      reauthentication_required   403
ProofIncomplete               proof_incomplete            400
TooManyCodeTries              too_many_attempts           429

What `ports.Reauthentication` refuses, and `portico.credentials` with it:

PasswordUnreadable            password_unreadable         400   over 1,024 bytes, or not text
PasswordIncorrect             password_incorrect          403   kept
TooManyAttempts               too_many_attempts           429   kept
HashingBusy                   hashing_busy                503
"""

from portico.core.errors import (
    Conflict,
    FieldFault,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    RateLimited,
    Unavailable,
)


class EmailMalformed(Invalid):
    """It is not exactly one plain e-mail address."""

    code, title = "email_malformed", "This is not a valid e-mail address"

    def __init__(self, detail: str | None = None, *, field: str = "email") -> None:
        message = detail or self.title
        super().__init__(message, errors=[FieldFault(self.code, message, field)])


class UsernameMalformed(Invalid):
    """The username holds something that is not taken, or is too short or too long."""

    code, title = "username_malformed", "This is not a valid username"

    def __init__(self, detail: str | None = None) -> None:
        message = detail or self.title
        super().__init__(message, errors=[FieldFault(self.code, message, "username")])


class ProfileInvalid(Invalid):
    """A value of the profile is not one that exists: a time zone, a language."""

    code, title = "profile_invalid", "A value of the profile is not valid"

    def __init__(self, detail: str, *, field: str) -> None:
        super().__init__(detail, errors=[FieldFault(self.code, detail, field)])


class EmailTaken(Conflict):
    """Another living account has this address."""

    code, title = "email_taken", "This e-mail address is already in use"

    def __init__(self) -> None:
        super().__init__(errors=[FieldFault(self.code, self.title, "email")])


class EmailTakenKept(EmailTaken):
    """The same answer where a mail to the owner of the address must be kept in the database."""

    persist = True


class UsernameTaken(Conflict):
    """Another living account has this username, or one that looks the same, or it is reserved."""

    code, title = "username_taken", "This username is already in use or reserved"

    def __init__(self) -> None:
        super().__init__(errors=[FieldFault(self.code, self.title, "username")])


class EmailAlreadyVerified(Conflict):
    """There is nothing left to prove."""

    code, title = "email_already_verified", "This address is already confirmed"


class UserNotFound(NotFound):
    """There is no such living person, or the caller may not know of him."""

    code, title = "user_not_found", "There is no such person"


class ReauthenticationRequired(Forbidden):
    """The act needs the password, or a sign-in of the last minutes (ASVS 5.0 V7.5.1)."""

    code, title = "reauthentication_required", "Confirm that it is you: sign in again or give your password"


class ProofIncomplete(Malformed):
    """Neither a token alone, nor an address together with a code."""

    code, title = "proof_incomplete", "Send either `token`, or `email` and `code`"


class TooManyCodeTries(RateLimited):
    """Codes for this address were tried too often; the link in the mail still works."""

    code, title = "too_many_attempts", "Too many attempts, use the link in the mail or try again later"


class PasswordUnreadable(Malformed):
    """Longer than 1,024 bytes, or no text; refused before any hashing."""

    code, title = "password_unreadable", "A password has at most 1024 bytes of text"


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
