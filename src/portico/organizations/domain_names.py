"""Reading a mail domain that an organization says is its own, and the record that proves it. Pure, no I/O.

A domain is read by the grammar of addresses, so that it compares equal to what stands after the @ of one. Refused is
what many strangers share: registries' suffixes, mail providers, hosts of other people's sites. The lists are short on
purpose, and no wall: the proof is the record in DNS, which only the domain's holder can set.
"""

from typing import Final

from portico.organizations.errors import DomainRefused
from portico.users.addresses import parse_address
from portico.users.errors import EmailMalformed
from portico.web.translations import mark

CHALLENGE_LABEL: Final = "_portico-challenge"
CHALLENGE_PREFIX: Final = "portico-verification="

MALFORMED: Final = mark("This is not a domain")
SHARED: Final = mark("This domain is shared by many, and cannot be one organization's")

NOT_PUBLIC: Final = frozenset(
    {"arpa", "corp", "home", "internal", "invalid", "lan", "local", "localdomain", "localhost", "onion"}
)
"""Endings that name nothing on the Internet (RFC 6761, and habits)."""

_REGISTRIES: Final = {
    "ar": "com org net", "at": "co or ac gv", "au": "com net org edu gov id", "bd": "com", "br": "com net org gov",
    "cn": "com net org gov edu", "co": "com net org", "eg": "com", "es": "com org nom", "gr": "com", "hk": "com org",
    "hu": "co", "id": "co or ac web", "il": "co org ac", "in": "co org net gov ac", "jp": "co ne or ac go ad",
    "ke": "co or ac", "kr": "co or ac go", "mx": "com org gob", "my": "com net org", "ng": "com org",
    "nz": "co org net ac govt", "pe": "com", "ph": "com", "pk": "com", "pl": "com net org edu waw", "pt": "com",
    "ro": "com", "rs": "co", "ru": "com msk spb", "sa": "com", "sg": "com edu gov", "th": "co ac in go",
    "tr": "com org net gen edu gov", "tw": "com org", "ua": "com co kiev", "uk": "co org me ltd plc net ac gov sch nhs",
    "us": "k12", "ve": "com co", "vn": "com", "za": "co org ac gov web", "net": "gb hu jp se uk", "org": "eu us ae",
    "com": "br cn de eu gb hu jpn kr no qc ru sa se uk us uy za",
}  # fmt: skip

_HOSTS: Final = """
amazonaws.com appspot.com azurewebsites.net blogspot.com cloudfront.net duckdns.org dyndns.org
firebaseapp.com fly.dev github.io gitlab.io herokuapp.com myshopify.com netlify.app ngrok.io ngrok-free.app
no-ip.org onrender.com pages.dev run.app trycloudflare.com vercel.app web.app wordpress.com workers.dev
"""

_MAIL: Final = """
126.com 163.com 10minutemail.com aol.com arcor.de att.net bluewin.ch bol.com.br btinternet.com comcast.net
cox.net daum.net fastmail.com free.fr freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net
googlemail.com guerrillamail.com hanmail.net hey.com hotmail.co.uk hotmail.com hotmail.de hotmail.fr
hotmail.it icloud.com interia.pl laposte.net libero.it live.co.uk live.com live.de mac.com mail.com mail.de
mail.ru mailbox.org mailinator.com me.com msn.com naver.com o2.pl onet.pl orange.fr outlook.com outlook.de
pm.me posteo.de posteo.net proton.me protonmail.com qq.com rediffmail.com rocketmail.com sbcglobal.net
seznam.cz sfr.fr sina.com sky.com t-online.de tuta.com tuta.io tutanota.com tutanota.de uol.com.br
verizon.net virgilio.it wanadoo.fr web.de wp.pl yahoo.co.jp yahoo.co.uk yahoo.com yahoo.de yahoo.fr yahoo.it
yandex.com yandex.ru ymail.com yopmail.com zoho.com
"""

PUBLIC_SUFFIXES: Final = frozenset(
    {f"{second}.{top}" for top, seconds in _REGISTRIES.items() for second in seconds.split()}
    | {*_HOSTS.split()}
)
"""Under these anybody gets a name."""

MAIL_PROVIDERS: Final = frozenset(_MAIL.split())
"""Under these anybody gets an address."""


def parse_domain(text: str, refused: frozenset[str] = frozenset()) -> str:
    """Return the domain in lower-case ASCII (IDNA), as addresses are compared.

    Raises:
        DomainRefused: not a domain of the Internet, or one that many share (422).
    """
    typed = text.strip(" ").removesuffix(".")
    if "@" in typed:
        raise DomainRefused(MALFORMED)
    try:
        domain = parse_address(f"postmaster@{typed}").normal_form.rpartition("@")[2]
    except EmailMalformed:
        raise DomainRefused(MALFORMED) from None
    if not domain.isascii() or domain.rpartition(".")[2] in NOT_PUBLIC:
        raise DomainRefused(MALFORMED)
    if domain in PUBLIC_SUFFIXES or domain in MAIL_PROVIDERS or domain in refused:
        raise DomainRefused(SHARED)
    return domain


def domain_of(normal_form: str) -> str:
    """Return what stands after the @ of an address in normal form; sub-domains are domains of their own."""
    return normal_form.rpartition("@")[2]


def record_name(domain: str) -> str:
    """Return the name whose TXT record proves the domain."""
    return f"{CHALLENGE_LABEL}.{domain}"


def record_value(challenge: str) -> str:
    """Return the text that the record holds."""
    return CHALLENGE_PREFIX + challenge
