"""What a team says of its resource, checked once, when the application is put together."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from portico.core.clock import Clock, SystemClock
from portico.core.settings import OutboundSettings
from portico.oauth.protocol.scopes import OFFLINE_ACCESS, is_scope_token
from portico.oauth.protocol.uris import has_dot_segments, read_http_uri
from portico.resource_server.types import IntrospectionClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A resource as it was declared; see `protected_resource` for what each member means.

    Raises:
        ValueError: it does not hold together.
    """

    identifier: str
    scopes: Mapping[str, str]
    name: str | None = None
    authorization_server: str | None = None
    introspection: IntrospectionClient | None = None
    requires_dpop: bool = False
    requires_dpop_nonce: bool = False
    certificate_header: str | None = None
    implied: Mapping[str, Collection[str]] = field(default_factory=dict)
    also_at_root: bool = False
    allowed_hosts: Collection[str] = ()
    allowed_origins: Collection[str] = ()
    outbound: OutboundSettings = field(default_factory=OutboundSettings)
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        _check_resource(self.identifier)
        if self.authorization_server is not None:
            _check_url(self.authorization_server, "an authorization server")
        elif self.introspection is not None:
            raise ValueError("introspection asks a server: name it as authorization_server")
        if self.requires_dpop_nonce and self.authorization_server is not None:
            raise ValueError("nonces are made with the secret of a Portico in this process; there is none")
        for scope in self.scopes:
            _check_scope(scope)
        for scope, implied in self.implied.items():
            self.known((scope, *implied))

    def known(self, scopes: Iterable[str]) -> tuple[str, ...]:
        """Return scopes that were declared, each once.

        Raises:
            ValueError: one was not: a slip, for no client would learn of it.
        """
        names = tuple(dict.fromkeys(scopes))
        if unknown := [name for name in names if name not in self.scopes]:
            raise ValueError(f"{self.identifier} declares no scope {', '.join(unknown)}")
        return names

    def widened(self, scopes: Collection[str]) -> frozenset[str]:
        """Return the scopes and all that they imply."""
        found, waiting = set(scopes), list(scopes)
        while waiting:
            more = [each for each in self.implied.get(waiting.pop(), ()) if each not in found]
            found.update(more)
            waiting.extend(more)
        return frozenset(found)


def _check_url(url: str, what: str) -> None:
    """Refuse what is no identifier: RFC 9728, section 1.2; RFC 8414, section 2."""
    uri = read_http_uri(url)
    if uri is None or not (uri.scheme == "https" or uri.is_loopback):
        raise ValueError(f"{url!r} is not the https URL of {what}; http is for loopback only")
    if uri.query or uri.fragment or has_dot_segments(uri.path):
        raise ValueError(f"{url!r}: the URL of {what} has no query, no fragment and no dots for a segment")


def _check_resource(url: str) -> None:
    """Refuse a second spelling of the same resource: tokens name it byte for byte."""
    _check_url(url, "a resource")
    uri = read_http_uri(url)
    if uri is None or url != f"{uri.scheme}://{uri.authority}{uri.path.removesuffix('/')}":
        raise ValueError(
            f"{url!r}: write it in lower case, without default port and without a slash at the end"
        )


def _check_scope(scope: str) -> None:
    if not is_scope_token(scope):
        raise ValueError(f"{scope!r} is not the name of a scope (RFC 6749, section 3.3)")
    if scope == OFFLINE_ACCESS:
        raise ValueError("offline_access is the authorization server's: no resource asks for it")
