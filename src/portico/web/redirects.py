"""Where a page may send the browser next: only to a path of this server (ASVS 5.0 V3.7.2; RFC 9700, 4.11)."""

import re
from urllib.parse import unquote, urlsplit

HOME = "/account"
LONGEST = 2000

# The characters of RFC 3986 and no others: no backslash, which browsers read as a slash, no space, no control
# character, nothing beyond ASCII, whose full-width forms become dots and slashes in some parsers.
_PATH = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*", re.ASCII)
_ELSEWHERE = ("//", "/\\")


def safe_next(target: str | None, default: str = HOME) -> str:
    r"""Return `target` if it is a path on this server, else `default`.

    Refused are other origins in every disguise: `//evil`, `/\evil`, schemes, user info, encoded slashes and
    controls, also doubly encoded, and dot segments, also with parameters (`..;/`).
    """
    if not target or len(target) > LONGEST or not _PATH.fullmatch(target):
        return default
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return default
    once = unquote(parts.path)
    twice = unquote(once)
    if any(_leaves_the_path(path) for path in (target.partition("?")[0], once, twice)):
        return default
    return target


def _leaves_the_path(path: str) -> bool:
    if path.startswith(_ELSEWHERE) or "\\" in path or not path.isprintable() or not path.isascii():
        return True
    return any(segment.partition(";")[0] in {".", ".."} for segment in path.split("/"))
