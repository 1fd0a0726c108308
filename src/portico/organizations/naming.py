"""Reading names and slugs of organizations and teams. Pure, no I/O.

A slug is 3 to 60 lower-case letters, digits and single hyphens. Two slugs collide when they look the same: their
skeletons, as those of usernames (`portico.users.usernames`), are equal, so that nobody passes for another.
"""

import re
import unicodedata
from dataclasses import dataclass

from portico.organizations.errors import NameMalformed, SlugMalformed, SlugReserved
from portico.users.usernames import RESERVED as RESERVED_USERNAMES, skeleton
from portico.web.translations import mark
from portico.web.wording import FILL_IN

SHORTEST_SLUG = 3
LONGEST_SLUG = 60
LONGEST_NAME = 120
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
NOT_IN_SLUGS = re.compile(r"[^a-z0-9]+")
JOINERS = "\u200c\u200d"

RESERVED = RESERVED_USERNAMES | {
    "active", "all", "app", "assets", "blog", "create", "default", "delete", "dev", "docs", "edit", "email", "files",
    "health", "home", "internal", "mail", "metrics", "new", "none", "organization", "organizations", "org", "personal",
    "platform", "pricing", "private", "public", "shared", "static", "status", "system", "team", "teams", "test",
}  # fmt: skip
"""Slugs that belong to the deployment, and so do all that look like them."""


@dataclass(frozen=True, slots=True)
class Slug:
    """A valid slug: `text` is shown, `key` decides whether two are too alike."""

    text: str
    key: str


def parse_slug(text: str) -> Slug:
    """Read a slug of an organization.

    Raises:
        SlugMalformed: length, or a character that is not taken (422).
        SlugReserved: it belongs to the deployment, or looks as if it did (409).
    """
    slug = parse_team_slug(text)
    if skeleton(slug.replace("-", "")) in _RESERVED_KEYS:
        raise SlugReserved
    return Slug(slug, skeleton(slug))


def parse_team_slug(text: str) -> str:
    """Read a slug of a team: unique in its organization only, so that nothing is reserved.

    Raises:
        SlugMalformed: length, or a character that is not taken (422).
    """
    if not SHORTEST_SLUG <= len(text) <= LONGEST_SLUG:
        raise SlugMalformed(
            mark("It has %(n)s to %(m)s characters") % {"n": SHORTEST_SLUG, "m": LONGEST_SLUG}
        )
    if SLUG.fullmatch(text) is None:
        raise SlugMalformed(mark("It holds small letters a to z, digits, and single hyphens between them"))
    return text


def suggested_slug(name: str, tail: str = "") -> str:
    """Return a slug made of a name; `tail` makes it another one. Names of other alphabets leave nothing but `tail`."""
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    words = NOT_IN_SLUGS.sub("-", plain).strip("-")[: LONGEST_SLUG - 12].strip("-")
    parts = [words if len(words) >= SHORTEST_SLUG or tail else f"{words}-space".strip("-"), tail]
    return "-".join(part for part in parts if part)


def parse_name(text: str, *, longest: int = LONGEST_NAME) -> str:
    """Return the name in NFC with single spaces.

    Raises:
        NameMalformed: empty, too long, or it holds control characters or marks that turn the reading direction (422).
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise NameMalformed(FILL_IN)
    if len(name) > longest:
        raise NameMalformed(mark("A name has at most %(n)s characters") % {"n": longest})
    if any(unicodedata.category(letter)[0] == "C" and letter not in JOINERS for letter in name):
        raise NameMalformed(mark("A name holds no control characters"))
    return name


_RESERVED_KEYS = frozenset(skeleton(name.replace("-", "")) for name in RESERVED)
