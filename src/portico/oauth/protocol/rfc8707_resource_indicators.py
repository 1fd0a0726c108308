"""The parameter `resource`: for which API a token is asked (RFC 8707).

An identifier is kept as it was registered, and that is what stands in `aud`; requests are compared with it in a normal
form, since clients write scheme and host in capitals and disagree about a slash at the end.
"""

from collections.abc import Iterable, Sequence

from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.uris import read_http_uri

MAX_RESOURCES = 10
MAX_RESOURCE = 500


def normal_form(resource: str) -> str:
    """Return the form in which two identifiers of one resource are the same text.

    Scheme and host in lower case, no default port (RFC 3986, sections 6.2.2.1 and 6.2.3), no slash at the end of the
    path. Neither percent-encoding nor dots are touched.

    Raises:
        Refused: invalid_target; not an absolute http or https URI, or one with a fragment (RFC 8707, section 2).
    """
    parts = read_http_uri(resource) if len(resource) <= MAX_RESOURCE else None
    if parts is None:
        raise Refused(ErrorCode.INVALID_TARGET, "resource is not an absolute http or https URI")
    if parts.fragment:
        raise Refused(ErrorCode.INVALID_TARGET, "resource has a fragment")
    return f"{parts.scheme}://{parts.authority}{parts.path.removesuffix('/')}{parts.query}"


def read_resources(values: Sequence[str]) -> tuple[str, ...]:
    """Return the resources of a request in normal form, each once, in their order.

    Raises:
        Refused: invalid_target; one of them is malformed, or there are too many.
    """
    if len(values) > MAX_RESOURCES:
        raise Refused(ErrorCode.INVALID_TARGET, f"there are more than {MAX_RESOURCES} resources")
    return tuple(dict.fromkeys(normal_form(value) for value in values))


def find_registered(resource: str, registered: Iterable[str]) -> str | None:
    """Return the registered identifier of a resource as it was registered, or None.

    Raises:
        Refused: invalid_target; `resource` is malformed.
    """
    wanted = normal_form(resource)
    return next((each for each in registered if normal_form(each) == wanted), None)


def narrow_resources(requested: Sequence[str], granted: Sequence[str]) -> tuple[str, ...]:
    """Return what is asked for out of what was granted, as it was granted; all of it where nothing is asked for.

    Raises:
        Refused: invalid_target; it asks for another one (RFC 8707, section 2.2), or for something malformed.
    """
    chosen = tuple(find_registered(each, granted) for each in read_resources(requested))
    if None in chosen:
        raise Refused(ErrorCode.INVALID_TARGET, "resource goes beyond what was granted")
    return tuple(each for each in chosen if each is not None) or tuple(granted)
