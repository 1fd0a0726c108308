"""Reading usernames: who may call himself what, and when two names look the same. Pure, no I/O.

A username is 3 to 32 letters of one alphabet, digits, and single `.`, `_`, `-` between them. Two names collide when
their skeletons are equal: the text with every letter replaced by the Latin one that it can be taken for.

The table stands in `lookalikes`. Two things are folded further than Unicode does, because a name is compared without
regard to case: i, l and 1 are one; o and 0 are one. A collision too many costs a person one more try; a missing one
costs him his name (CVE-2021-3424).
"""

import re
import unicodedata
from dataclasses import dataclass

from portico.users.errors import UsernameMalformed
from portico.users.lookalikes import LOOKS_LIKE
from portico.users.scripts import is_one_script, scripts_of
from portico.web.translations import mark

SHORTEST = 3
LONGEST = 32
SEPARATORS = "._-"
DIGITS = "0123456789"
RAGGED = re.compile(r"^[._-]|[._-]$|[._-]{2}")

_WITHIN_ASCII = {"0": "o", "1": "l", "i": "l", "m": "rn", "w": "vv"}

RESERVED = frozenset(
    {
        "abuse", "account", "admin", "administrator", "anonymous", "api", "auth", "billing",
        "console", "everyone", "help", "hostmaster", "login", "logout", "mailerdaemon", "me",
        "moderator", "nobody", "noreply", "null", "oauth", "official", "operator", "portico",
        "postmaster", "register", "root", "security", "settings", "signin", "signup", "staff",
        "superuser", "support", "sysadmin", "system", "undefined", "webmaster", "www",
    }
)  # fmt: skip
"""Names that belong to the deployment, and so do all that look like them."""


@dataclass(frozen=True, slots=True)
class Username:
    """A valid username: `text` is shown, `key` decides whether two are too alike."""

    text: str
    key: str


def parse_username(text: str) -> Username:
    """Read a username. Outside the Latin alphabet capitals become small, so that one look has one spelling.

    Raises:
        UsernameMalformed: length, a character that is not taken, mixed alphabets (422).
    """
    composed = unicodedata.normalize("NFC", text)
    if not SHORTEST <= len(composed) <= LONGEST:
        raise UsernameMalformed(
            mark("A username has %(n)s to %(m)s characters") % {"n": SHORTEST, "m": LONGEST}
        )
    if unicodedata.normalize("NFKC", composed) != composed or not all(map(_is_taken, composed)):
        raise UsernameMalformed(mark("A username holds letters, digits, and . _ - only"))
    if RAGGED.search(composed) or unicodedata.category(composed[0]).startswith("M"):
        raise UsernameMalformed(
            mark("A username begins and ends with a letter or digit, and . _ - stand alone")
        )
    if not is_one_script(composed):
        raise UsernameMalformed(mark("A username is written in one alphabet"))
    shown = composed if scripts_of(composed) <= {"LATIN"} else composed.lower()
    return Username(shown, skeleton(shown))


def is_reserved(username: Username, more: frozenset[str] = frozenset()) -> bool:
    """Tell whether the name, or one that looks like it, belongs to the deployment (`r00t`, `ad-min`)."""
    bare = "".join(character for character in username.key if character not in SEPARATORS)
    return bare in _RESERVED_KEYS or bare in {skeleton(name) for name in more}


def find_key(text: str) -> str | None:
    """Return the skeleton of a username that somebody typed, or None where the text is none."""
    try:
        return parse_username(text).key
    except UsernameMalformed:
        return None


def skeleton(text: str) -> str:
    """Return the text by which look-alikes are equal; accents are dropped, case is ignored."""
    plain = "".join(LOOKS_LIKE.get(letter, letter) for letter in text.casefold())
    bare = "".join(part for part in unicodedata.normalize("NFD", plain) if not _is_mark(part))
    folded = "".join(LOOKS_LIKE.get(letter, letter) for letter in bare)
    return "".join(_WITHIN_ASCII.get(letter, letter) for letter in folded)


def same_spelling(typed: str, username: str) -> bool:
    """Tell whether somebody typed this very name, case aside; looking alike is not enough to sign in."""
    return unicodedata.normalize("NFC", typed).casefold() == username.casefold()


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) == "Mn"


def _is_taken(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in SEPARATORS
    return unicodedata.category(character) in {"Lu", "Ll", "Lo", "Lm", "Mn", "Mc"}


_RESERVED_KEYS = frozenset(skeleton(name) for name in RESERVED)
