"""Codes for people who type on another device, and how often a device may ask (RFC 8628)."""

from dataclasses import dataclass
from datetime import timedelta

from portico.core.entropy import Entropy

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no code is a word, and nothing that looks like a digit (section 6.1)."""
LENGTH = 8
"""34 bits; few enough tries are allowed that nobody guesses one (section 5.1)."""
SLOWER_BY = timedelta(seconds=5)
SLOWEST = timedelta(minutes=5)
_FAIR = 256 - 256 % len(ALPHABET)
_GAPS = str.maketrans("", "", " \t-_.\u00a0\u2009\u2010\u2011\u2012\u2013\u2014\u202f\u2212")
_LONGEST_TYPED = 40


@dataclass(frozen=True, slots=True)
class Pace:
    """How one question of a device is judged: too early or not, and how long it must wait from now on."""

    is_too_fast: bool
    interval: timedelta


def new_user_code(entropy: Entropy) -> str:
    """Return eight random letters, each equally likely (bytes beyond the last whole round are drawn again)."""
    letters = ""
    while len(letters) < LENGTH:
        letters += "".join(ALPHABET[byte % len(ALPHABET)] for byte in entropy.bytes(LENGTH) if byte < _FAIR)
    return letters[:LENGTH]


def shown_user_code(code: str) -> str:
    """Return the code as people are shown it: `WDJB-MJHT`."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def read_user_code(typed: str) -> str | None:
    """Return the code that somebody typed, in whatever case and with whatever gaps (section 6.1), or None."""
    if len(typed) > _LONGEST_TYPED:
        return None
    letters = typed.translate(_GAPS).upper()
    return letters if len(letters) == LENGTH and all(letter in ALPHABET for letter in letters) else None


def judge_pace(since_last: timedelta | None, interval: timedelta) -> Pace:
    """Return how a question is judged that comes `since_last` after the one before, None for the first.

    Whoever asks earlier than `interval` waits five seconds longer from then on (section 3.5), up to `SLOWEST`; a
    second is forgiven, for networks deliver unevenly.
    """
    if since_last is None or since_last + timedelta(seconds=1) >= interval:
        return Pace(is_too_fast=False, interval=interval)
    return Pace(is_too_fast=True, interval=min(interval + SLOWER_BY, SLOWEST))
