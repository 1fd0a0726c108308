"""Reads one value of a client's metadata at a time: type, length, alphabet.

Which member has which value is said in `rfc7591_registration`, what holds between several of them too. `null` and empty
texts count as omitted: clients send both for what they do not have.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any

from portico.oauth.protocol.redirect_uris import MAX_REDIRECT_URIS
from portico.oauth.protocol.uris import HttpUri, read_http_uri

MAX_NAME = 200
MAX_TEXT = 500
MAX_URI = 2_000
MAX_LIST = 50
MAX_KEYS = 20
MAX_AGE = 10 * 365 * 86_400
PRIVATE_PARTS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""What a public key does not have (RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1)."""
_JOINERS = "\u200c\u200d"
"""Invisible, but part of how Persian, Hindi and emoji are written."""


class BadValue(ValueError):
    """The value of a member cannot be taken; the message goes on after the member's name, in ASCII."""


def read_text(value: Any, *, most: int = MAX_TEXT) -> str | None:
    """Return a text of one line, or None for an empty one."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadValue("must be a text")
    if len(value) > most:
        raise BadValue(f"is longer than {most} characters")
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"} for letter in value):
        raise BadValue("has a character that cannot be shown")
    return value


def read_name(value: Any) -> str | None:
    """Return a name that people are shown: in normal form, without what turns or hides letters on a page."""
    text = read_text(value, most=MAX_NAME)
    if text is None:
        return None
    if any(unicodedata.category(letter) == "Cf" and letter not in _JOINERS for letter in text):
        raise BadValue("has an invisible character")
    return unicodedata.normalize("NFC", " ".join(text.split())) or None


def read_flag(value: Any) -> bool:
    """Return true or false; false if it is not said."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise BadValue("must be true or false")
    return value


def read_seconds(value: Any) -> int | None:
    """Return a whole number of seconds, zero or more."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_AGE:
        raise BadValue("must be a whole number of seconds")
    return value


def read_texts(value: Any) -> tuple[str, ...]:
    """Return a list of texts, each once, in their order."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise BadValue("must be a list of texts")
    if len(value) > MAX_LIST:
        raise BadValue(f"has more than {MAX_LIST} members")
    return tuple(dict.fromkeys(text for text in map(read_text, value) if text is not None))


def read_uri_texts(value: Any) -> tuple[str, ...]:
    """Return a list of what should be URIs, bounded and not yet judged: their faults have codes of their own."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) and each for each in value):
        raise BadValue("must be a list of URIs")
    if len(value) > MAX_REDIRECT_URIS:
        raise BadValue(f"has more than {MAX_REDIRECT_URIS} members")
    return tuple(dict.fromkeys(value))


def read_web_uri(value: Any) -> str | None:
    """Return an address that people may be shown a link to: http or https and nothing else."""
    uri = _uri(value)
    return None if uri is None else uri[0]


def read_secure_uri(value: Any) -> str | None:
    """Return an address that we call or send the browser to: https, or http on loopback; without a fragment."""
    uri = _uri(value)
    if uri is None:
        return None
    text, parts = uri
    if parts.scheme != "https" and not parts.is_loopback:
        raise BadValue("must begin with https://")
    if parts.fragment:
        raise BadValue("must have no fragment")
    return text


def read_secure_uris(value: Any) -> tuple[str, ...]:
    """Return a list of such addresses."""
    return tuple(uri for uri in map(read_secure_uri, read_uri_texts(value)) if uri is not None)


def read_key_set(value: Any) -> Mapping[str, Any] | None:
    """Return a JWK set of public keys (RFC 7517, section 5); one that gives a secret away has none any more."""
    if value is None:
        return None
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise BadValue("must be an object with a list of keys")
    if len(keys) > MAX_KEYS:
        raise BadValue(f"has more than {MAX_KEYS} keys")
    if any(PRIVATE_PARTS & key.keys() for key in keys):
        raise BadValue("has a private or symmetric key")
    return {"keys": keys}


def _uri(value: Any) -> tuple[str, HttpUri] | None:
    if value is None or value == "":
        return None
    parts = read_http_uri(value) if isinstance(value, str) and len(value) <= MAX_URI else None
    if parts is None:
        raise BadValue("must be an http or https URL")
    return value, parts
