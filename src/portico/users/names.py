"""Reading full names: any name that people have, and nothing that only pretends to be one. Pure, no I/O."""

import unicodedata

from portico.users.errors import ProfileInvalid
from portico.web.translations import mark

LONGEST = 200
JOINERS = "\u200c\u200d"
"""Zero-width joiners: part of names in Persian and Indian scripts; other invisible characters are not taken."""


def parse_full_name(text: str | None) -> str | None:
    """Return the name in NFC with single spaces; None for an empty one.

    Raises:
        ProfileInvalid: too long, or it holds control characters, or marks that turn the reading direction around (422).
    """
    name = " ".join(unicodedata.normalize("NFC", text or "").split(" ")).strip()
    if len(name) > LONGEST:
        raise ProfileInvalid(mark("A name has at most %(n)s characters") % {"n": LONGEST}, field="full_name")
    if any(unicodedata.category(letter)[0] == "C" and letter not in JOINERS for letter in name):
        raise ProfileInvalid(mark("A name holds no control characters"), field="full_name")
    return " ".join(name.split()) or None
