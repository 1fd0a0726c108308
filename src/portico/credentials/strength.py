"""How many guesses a password withstands: zxcvbn, and a small estimate of our own where it is not installed."""

import math
from collections.abc import Sequence

LONGEST_ESTIMATED = 128
"""Characters that are looked at: zxcvbn's time grows with the square, and what follows cannot make it weaker."""

_STEPS = (3, 6, 8, 10)
"""Powers of ten at which the score rises to 1, 2, 3, 4; zxcvbn's own."""


def strength_of(password: str, context: Sequence[str] = ()) -> int:
    """Return 0 (guessed at once) to 4; `context` are words that a guesser would try first."""
    head = password[:LONGEST_ESTIMATED]
    try:
        from zxcvbn_rs_py import zxcvbn  # loads 2 MB of dictionaries
    except ImportError:
        return estimate(head, context)
    return int(zxcvbn(head, list(context)).score)


def estimate(password: str, context: Sequence[str] = ()) -> int:
    """Return a cautious score without dictionaries: only what neither repeats nor follows counts."""
    rest = password.lower()
    for word in context:
        rest = rest.replace(word.lower(), "")
    kept = [letter for i, letter in enumerate(rest) if i == 0 or abs(ord(letter) - ord(rest[i - 1])) > 1]
    if not kept:
        return 0
    digits = len(kept) * math.log10(max(2, min(_alphabet(kept), 3 * len(set(kept)))))
    return sum(digits >= step for step in _STEPS)


def _alphabet(letters: Sequence[str]) -> int:
    kinds = {
        26: str.isalpha,
        10: str.isdigit,
        30: lambda letter: not letter.isalnum(),
    }
    return sum(size for size, is_kind in kinds.items() if any(map(is_kind, letters)))
