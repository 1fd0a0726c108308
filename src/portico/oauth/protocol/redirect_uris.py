"""Where the browser may be sent: what can be registered, and what matches it when it is asked for.

OAuth 2.1, sections 2.3 and 4.1.3; RFC 8252, sections 7 and 8; RFC 9700, section 2.1; OpenID Connect Core 1.0, section
3.1.2.1. Nothing is decoded, resolved or folded before it is compared: two texts are the same or they are not, and the
port of a loopback URI is the one thing that may differ.
"""

import re
from collections.abc import Collection, Iterable, Sequence

from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.uris import LOOPBACK_HOSTS, URI_TEXT, HttpUri, read_http_uri

MAX_REDIRECT_URIS = 20
MAX_REDIRECT_URI = 2_000
NEVER = frozenset(
    {
        "about", "blob", "chrome", "content", "data", "file", "filesystem", "ftp", "intent", "jar", "javascript",
        "mailto", "resource", "sms", "tel", "urn", "vbscript", "view-source", "ws", "wss",
    }
)  # fmt: skip
"""Schemes that no setting can allow: they run code, read files, or reach no application."""

_CUSTOM = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<rest>/.*)")
_REVERSED_DOMAIN = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+")
_AROUND_PORT = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::[0-9]{1,5})?((?:[/?].*)?)")


def check_redirect_uris(
    uris: Sequence[str], *, custom_schemes: Collection[str] = (), is_web: bool = False
) -> None:
    """Refuse a list of which one cannot be registered.

    Raises:
        Refused: invalid_redirect_uri; which one, by its place, and why.
    """
    if len(uris) > MAX_REDIRECT_URIS:
        raise _refused(f"there are more than {MAX_REDIRECT_URIS} redirect URIs")
    for place, uri in enumerate(uris, start=1):
        fault = fault_of(uri, custom_schemes=custom_schemes, is_web=is_web)
        if fault:
            raise _refused(f"redirect URI number {place} {fault}")


def fault_of(uri: str, *, custom_schemes: Collection[str] = (), is_web: bool = False) -> str | None:
    """Return what is wrong with a redirect URI that somebody wants to register, or None.

    An absolute URI without a fragment (RFC 6749, section 3.1.2); http only to loopback (OAuth 2.1, section 2.3.1);
    another scheme only if it is a domain name reversed (RFC 8252, section 7.1) or one of `custom_schemes`. `is_web`
    is said by clients that run on a server: they own no scheme of a device.
    """
    if len(uri) > MAX_REDIRECT_URI:
        return f"is longer than {MAX_REDIRECT_URI} characters"
    if "#" in uri:
        return "has a fragment"
    if not URI_TEXT.fullmatch(uri):
        return "is not a URI in ASCII"
    if "*" in uri:
        return "has an asterisk: URIs are compared as they are, there are no wildcards"
    if uri.lower().startswith(("http:", "https:")):
        return _fault_of_http(read_http_uri(uri))
    return "is not a web address" if is_web else _fault_of_custom(uri, custom_schemes)


def matches(registered: str, asked: str) -> bool:
    """Tell whether the URI of a request is the registered one, character by character (RFC 3986, section 6.2.1).

    Two loopback URIs may differ in the port, for an application is given another one each time it runs (RFC 8252,
    section 7.3); `localhost` is treated like the two addresses, since that is what applications register.
    """
    if registered == asked:
        return True
    if not is_loopback(registered) or not is_loopback(asked):
        return False
    ours, theirs = _AROUND_PORT.fullmatch(registered), _AROUND_PORT.fullmatch(asked)
    return ours is not None and theirs is not None and ours.groups() == theirs.groups()


def is_registered(asked: str, registered: Iterable[str]) -> bool:
    """Tell whether the URI of a request is one of the registered ones; an empty list has none."""
    return any(matches(each, asked) for each in registered)


def is_loopback(uri: str) -> bool:
    """Tell whether it leads to the person's own device, where any program may listen (RFC 8252, section 8.6)."""
    parts = read_http_uri(uri)
    return parts is not None and parts.is_loopback


def is_claimed(uri: str) -> bool:
    """Tell whether the owner of a host stands behind it: https, and not the device itself.

    A client whose redirect URI is not claimed can be played by any program on the device (OAuth 2.1, section 7.4).
    """
    parts = read_http_uri(uri)
    return parts is not None and parts.scheme == "https" and parts.host not in LOOPBACK_HOSTS


def host_shown(uri: str) -> str:
    """Return what a person is shown of it: the host, of other schemes `scheme:`.

    International names stay in their ASCII form (`xn--…`), which cannot look like another one.
    """
    parts = read_http_uri(uri)
    return parts.host if parts is not None else f"{uri.partition(':')[0].lower()}:"


def _fault_of_http(parts: HttpUri | None) -> str | None:
    if parts is None:
        return "has no proper host, or a user name in it"
    if parts.scheme == "http" and not parts.is_loopback:
        return "is not https; http is for localhost, 127.0.0.1 and [::1] only"
    return None


def _fault_of_custom(uri: str, allowed: Collection[str]) -> str | None:
    found = _CUSTOM.fullmatch(uri)
    if found is None:
        return "is not absolute"
    scheme = found["scheme"].lower()
    if scheme in NEVER:
        return "has a scheme that is never used"
    if not _REVERSED_DOMAIN.fullmatch(scheme) and scheme not in allowed:
        return "has a scheme that is no reversed domain name such as com.example.app"
    if found["rest"].startswith("//") and "@" in found["rest"][2:].partition("/")[0]:
        return "has a user name in it"
    return None


def _refused(why: str) -> Refused:
    return Refused(ErrorCode.INVALID_REDIRECT_URI, why)
