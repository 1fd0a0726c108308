"""Scopes as the wire carries them: names between spaces (RFC 6749, section 3.3; OAuth 2.1, section 1.4.1)."""

import re
from collections.abc import Collection, Iterable

from portico.oauth.protocol.refusals import ErrorCode, Refused

MAX_SCOPE = 2_000
OPENID = "openid"
OFFLINE_ACCESS = "offline_access"

_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


def is_scope_token(text: str) -> bool:
    """Tell whether it can be the name of one scope: visible ASCII without double quote and backslash."""
    return len(text) <= MAX_SCOPE and _TOKEN.fullmatch(text) is not None


def read_scope(text: str) -> tuple[str, ...]:
    """Return the names in the order in which they stand, each once; none for an empty text.

    More than one space between two names is put up with: joining an empty name is a client's commonest slip, and
    means nothing else.

    Raises:
        Refused: invalid_scope; longer than `MAX_SCOPE`, which is seen before anything is read, or not a scope.
    """
    if len(text) > MAX_SCOPE:
        raise Refused(ErrorCode.INVALID_SCOPE, f"scope is longer than {MAX_SCOPE} characters")
    names = tuple(dict.fromkeys(name for name in text.split(" ") if name))
    if not all(_TOKEN.fullmatch(name) for name in names):
        raise Refused(ErrorCode.INVALID_SCOPE, "scope has a character that no scope may have")
    return names


def narrow_scope(requested: Iterable[str], granted: Collection[str]) -> tuple[str, ...]:
    """Return what is asked for out of what was granted; all of it where nothing is asked for.

    Raises:
        Refused: invalid_scope; it asks for more (RFC 6749, section 6).
    """
    wanted = tuple(requested)
    if any(name not in granted for name in wanted):
        raise Refused(ErrorCode.INVALID_SCOPE, "scope goes beyond what was granted")
    return wanted or tuple(granted)


def scope_text(names: Iterable[str]) -> str:
    """Return the names as the wire carries them, in their order."""
    return " ".join(names)
