"""Which passwords are taken. A table of rules; each states its reason, and all that apply are told at once.

Length in characters, all of Unicode, no composition rules unless switched on, no periodic change (NIST SP 800-63B-4,
section 3.1.1.2; ASVS 5.0 V6.2). Runs in the event loop: under 1 ms.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from portico.core.settings import Settings
from portico.credentials.breached import is_breached
from portico.credentials.errors import PasswordRejected
from portico.credentials.passwords import readable
from portico.credentials.settings import CredentialsSettings
from portico.credentials.strength import strength_of
from portico.web.translations import mark

SHORTEST_WORD = 4
_LEET = str.maketrans("013457@$!|", "oleastasil")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A password that somebody wants, and the words by which others would guess it."""

    password: str = field(repr=False)
    context: tuple[str, ...] = ()


type Rule = Callable[[Candidate, CredentialsSettings], str | None]


def _length(candidate: Candidate, settings: CredentialsSettings) -> str | None:
    shortest = settings.shortest_password
    return f"Use at least {shortest} characters." if len(candidate.password) < shortest else None


def _breached(candidate: Candidate, settings: CredentialsSettings) -> str | None:
    if settings.check_breached and is_breached(candidate.password):
        return mark("This password is known from data breaches.")
    return None


def _context(candidate: Candidate, _settings: CredentialsSettings) -> str | None:
    bare = _letters(candidate.password)
    words = {_letters(word) for word in candidate.context} - {""}
    rest = bare
    for word in sorted(words, key=len, reverse=True):
        if len(word) >= SHORTEST_WORD:
            rest = rest.replace(word, "")
    if bare and (bare in words or (rest != bare and len(rest) < SHORTEST_WORD)):
        return mark("Do not build the password from your name, your address or the name of this service.")
    return None


def _strength(candidate: Candidate, settings: CredentialsSettings) -> str | None:
    if strength_of(candidate.password, candidate.context) < settings.min_strength:
        return mark("This password is easy to guess: use more words, or less common ones.")
    return None


def _composition(wanted: str, message: str, has: Callable[[str], bool]) -> Rule:
    def rule(candidate: Candidate, settings: CredentialsSettings) -> str | None:
        if getattr(settings, wanted) and not any(map(has, candidate.password)):
            return message
        return None

    return rule


RULES: dict[str, Rule] = {
    "password_too_short": _length,
    "password_breached": _breached,
    "password_contextual": _context,
    "password_too_weak": _strength,
    "password_needs_upper": _composition("require_upper", mark("Use a capital letter."), str.isupper),
    "password_needs_lower": _composition("require_lower", mark("Use a small letter."), str.islower),
    "password_needs_digit": _composition("require_digit", mark("Use a digit."), str.isdigit),
    "password_needs_symbol": _composition(
        "require_symbol",
        mark("Use a character that is neither letter nor digit."),
        lambda character: not character.isalnum(),
    ),
}


class PasswordPolicy:
    """The rules under one deployment's settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.section(CredentialsSettings)
        self._context = (settings.name, "portico", *self._settings.context_words)

    def check(self, password: str, *, context: Iterable[str | None] = (), field: str = "password") -> None:
        """Refuse a password that somebody would guess; `context` are the person's own names and address.

        Raises:
            PasswordUnreadable: over 1,024 bytes or no text (400).
            PasswordRejected: with every reason (400).
        """
        normal = readable(password).decode()
        candidate = Candidate(normal, self._context + tuple(_words(context)))
        reasons = self.reasons(candidate)
        if reasons:
            raise PasswordRejected(reasons, field=field)

    def reasons(self, candidate: Candidate) -> Sequence[tuple[str, str]]:
        """Return the code and message of every rule that refuses."""
        found = ((code, rule(candidate, self._settings)) for code, rule in RULES.items())
        return [(code, message) for code, message in found if message is not None]


def _words(context: Iterable[str | None]) -> Iterable[str]:
    for text in context:
        if text:
            local = text.rpartition("@")[0] or text
            yield from (text, local)
            yield from (part for part in _split(local) if len(part) >= SHORTEST_WORD)


def _split(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in text).split()


def _letters(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_LEET)
    return "".join(letter for letter in plain if letter.isalpha())
