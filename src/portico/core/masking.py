"""Keeps secrets and other people's text from doing harm in the log.

Masked by the name of the field, and by pattern wherever they stand: passwords, tokens, codes, `Authorization`,
cookies, mail addresses (ASVS 5.0 V16.2.5). What could forge a line or drive a terminal is written out as an escape:
CR, LF, ESC, the other control characters, U+2028 and U+2029, and what turns the direction of text (V16.4.1).
"""

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"
DEEPEST = 6
LONGEST = 4_000

_SECRET_FIELD = re.compile(
    r"""(pass(word|phrase|wd)?|secret|token|authorization|cookie|credential|api_?key|private_?key|otp|totp|pin
        |assertion|signature|csrf|verifier|challenge|session_key|nonce)s?(_|$)""",
    re.IGNORECASE | re.VERBOSE,
)
_CODE_FIELD = re.compile(r"(^|_)code$", re.IGNORECASE)
_HARMLESS_FIELDS = frozenset(
    {"status_code", "error_code", "exit_code", "close_code", "token_type", "token_purpose", "secret_name"}
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # scheme://user:password@host
    (re.compile(r"(?<=://)([^\s/:@]*):[^\s/@]+@"), rf"\1:{MASK}@"),
    (re.compile(r"\b(Bearer|Basic|DPoP)\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_.-]*"), MASK),
    # Our own kinds of secrets, and those that webhooks sign with: a prefix of four or five letters, then chance.
    (re.compile(r"\b(p[a-z]{2}|whsec)_[A-Za-z0-9_+/-]{20,}={0,2}"), r"\1_…"),
    # name=value and "name": "value", as they stand in queries, forms and printed dictionaries
    (
        re.compile(
            r"""((?:pass(?:word|wd)|secret|token|authorization|cookie|csrf|otp|api_?key|(?<![a-z_])code)
                [a-z_]*["']?\s*(?:=>|[=:])\s*)(["']?)[^\s"'&;,}]+""",
            re.IGNORECASE | re.VERBOSE,
        ),
        rf"\1\2{MASK}",
    ),
    # Anything long and random: 40 characters or more with a digit among them. A UUID has 36.
    (re.compile(r"\b(?=[A-Za-z_-]{0,64}[0-9])([A-Za-z0-9]{4})[A-Za-z0-9_-]{36,}"), r"\1…"),
    (
        re.compile(r"([A-Za-z0-9])[A-Za-z0-9._%+-]{0,63}@([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+)"),
        rf"\1{MASK}@\2",
    ),
)
_DANGEROUS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_DANGEROUS_BUT_LINES = re.compile(_DANGEROUS.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))


def is_secret_field(name: str) -> bool:
    """Tell whether what stands under `name` is never to be shown."""
    if name.lower() in _HARMLESS_FIELDS:
        return False
    return _SECRET_FIELD.search(name) is not None or _CODE_FIELD.search(name) is not None


def masked_text(text: str) -> str:
    """Return `text` without what looks like a secret or an address, cut at 4,000 characters."""
    text = text[:LONGEST]
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def harmless_text(text: str, *, keep_lines: bool = False) -> str:
    """Return `text` with every character that could forge a line or drive a terminal written as an escape."""
    return (_DANGEROUS_BUT_LINES if keep_lines else _DANGEROUS).sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")


def clean(value: Any, *, name: str = "", depth: int = 0) -> Any:
    """Return `value` as it may stand in the log under `name`; containers are cleaned to a depth of six."""
    if value is None or isinstance(value, bool | int | float):
        return MASK if name and value is not None and _is_secret_number(name, value) else value
    if name and is_secret_field(name):
        return MASK
    if depth >= DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {_key(key): clean(item, name=str(key), depth=depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(item, depth=depth + 1) for item in value]
    text = repr(value) if isinstance(value, BaseException | bytes) else str(value)
    return harmless_text(masked_text(text))


def _key(key: Any) -> str:
    return harmless_text(str(key))[:100]


def _is_secret_number(name: str, value: float) -> bool:
    return not isinstance(value, bool) and is_secret_field(name)
