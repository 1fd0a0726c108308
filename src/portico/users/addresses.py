"""Reading e-mail addresses: one strict grammar, a form to send to, and a form to compare by. Pure, no I/O.

What is accepted is a dot-atom and a registered-style domain (RFC 5321, section 4.1.2, without quoted local parts,
comments, source routes and address literals; RFC 6531 for other scripts). Everything that two programs could read
differently is refused instead of repaired: that is how mail for one person reached another (CVE-2022-35924,
GHSA-5jpx-9hw9-2fx4, CVE-2026-40574).
"""

import re
import unicodedata
from dataclasses import dataclass

from portico.users.errors import EmailMalformed
from portico.users.scripts import is_one_script
from portico.web.translations import mark

LONGEST_TYPED = 320
LONGEST_ADDRESS_OCTETS = 254  # RFC 5321, section 4.5.3.1.3, less the angle brackets (erratum 1690)
LONGEST_LOCAL_OCTETS = 64  # RFC 5321, section 4.5.3.1.1
ASCII_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")  # RFC 5322, section 3.2.3, `atext`
PLAIN_DOMAIN = re.compile(  # RFC 1123, section 2.1; a label like `xn--` or `ab--c` is left to the IDNA rules
    r"(?!.{254})(?:(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*"
    r"(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
DOMAIN_DOTS = "\u3002\uff0e\uff61"  # UTS #46 maps these to a dot; we want one way to write one


@dataclass(frozen=True, slots=True)
class Address:
    """One address: `typed` is kept and shown, `deliverable` goes on the envelope, `normal_form` is compared."""

    typed: str
    deliverable: str
    normal_form: str

    @property
    def local_part(self) -> str:
        """Return what stands before the @, in lower case."""
        return self.normal_form.rpartition("@")[0]


def parse_address(text: str) -> Address:
    """Read one address; spaces around it are dropped, anything else that is odd is refused.

    Raises:
        EmailMalformed: it is not exactly one plain address (422).
    """
    typed = _composed(text.strip(" "))
    local, domain = _split(typed)
    _check_local_part(local)
    ascii_domain = _ascii_domain(domain)
    deliverable = f"{local}@{ascii_domain}"
    if len(deliverable.encode()) > LONGEST_ADDRESS_OCTETS:
        raise EmailMalformed(mark("The address is too long"))
    return Address(typed, deliverable, _compared(f"{local}@{ascii_domain}"))


def find_normal_form(text: str) -> str | None:
    """Return the form to compare by, or None where the text is no address."""
    try:
        return parse_address(text).normal_form
    except EmailMalformed:
        return None


def _compared(address: str) -> str:
    # Lower case may compose anew (U+0130), so the order is: lower, then NFKC.
    return unicodedata.normalize("NFKC", address.lower())


def _composed(text: str) -> str:
    """Return the text in NFC, or refuse it where compatibility characters hide another one (full-width @, ﬁ, K)."""
    if not text or len(text) > LONGEST_TYPED:
        raise EmailMalformed(mark("The address is empty or too long"))
    if any(unicodedata.category(character).startswith(("C", "Z")) for character in text):
        raise EmailMalformed(mark("The address holds a space or an invisible character"))
    composed = unicodedata.normalize("NFC", text)
    hides = any(not c.isascii() and _maps_to_ascii(c) for c in text)
    if hides or unicodedata.normalize("NFKC", composed) != composed:
        raise EmailMalformed(mark("The address holds a character that stands for another one"))
    return composed


def _maps_to_ascii(character: str) -> bool:
    # A decomposed letter is fine (é is e and an accent); a character that turns into plain ASCII is a disguise.
    folded = unicodedata.normalize("NFKC", character)
    return any(part.isascii() and not part.isalpha() for part in folded) or folded.isascii()


def _split(typed: str) -> tuple[str, str]:
    if typed.count("@") != 1:
        raise EmailMalformed(mark("The address must hold exactly one @"))
    local, _, domain = typed.partition("@")
    return local, domain


def _check_local_part(local: str) -> None:
    if not local or len(local.encode()) > LONGEST_LOCAL_OCTETS:
        raise EmailMalformed(mark("The part before the @ is empty or too long"))
    if not all(_is_atom(atom) for atom in local.split(".")):
        raise EmailMalformed(mark("The part before the @ holds a character or a dot that is not taken"))
    if not local.isascii() and not is_one_script(local):
        raise EmailMalformed(mark("The part before the @ mixes alphabets"))


def _is_atom(atom: str) -> bool:
    plain = "".join(character for character in atom if character.isascii())
    others = [character for character in atom if not character.isascii()]
    if not atom or (plain and ASCII_ATOM.fullmatch(plain) is None):
        return False
    return all(unicodedata.category(character)[0] in "LMN" for character in others)


def _ascii_domain(domain: str) -> str:
    if not domain or domain.endswith(".") or any(dot in domain for dot in DOMAIN_DOTS):
        raise EmailMalformed(mark("The domain is not valid"))
    ascii_domain = domain.lower() if PLAIN_DOMAIN.fullmatch(domain) else _by_idna(domain)
    labels = ascii_domain.split(".")
    if len(labels) < 2 or labels[-1].isdigit():
        raise EmailMalformed(mark("The domain is not complete"))
    return ascii_domain


def _by_idna(domain: str) -> str:
    import idna  # 10 ms at the first use, and only for international domains

    try:
        return idna.encode(domain, uts46=True, std3_rules=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        raise EmailMalformed(mark("The domain is not valid")) from None
