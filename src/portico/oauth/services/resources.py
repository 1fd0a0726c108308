"""The APIs that tokens can be asked for: declared in code, in settings, by administrators, and our own two."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from portico.access.roles import RoleBook
from portico.api_keys.wording import words_of
from portico.coordination.cache import BoundedCache
from portico.coordination.revocations import RevocationLog
from portico.feature import FeatureSet
from portico.oauth.models import OAuthResource
from portico.oauth.protocol.rfc8707_resource_indicators import normal_form
from portico.oauth.repositories import ResourceRepository
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import TokenFormat
from portico.runtime import Runtime

API_PATH = "/api/v1"
OVER_PLATFORM = "platform:"
"""How scopes begin that are held over the whole deployment; only clients have them that an administrator gave them."""
SUBJECT = "oauth:resources"
"""The subject of revocations by which other processes hear of changed resources."""

IDENTITY_SCOPES: Mapping[str, str] = {
    "openid": "Know who you are",
    "profile": "See your name and language",
    "email": "See your e-mail address",
    "address": "See your postal address",
    "phone": "See your telephone number",
    "offline_access": "Stay connected when you are signed out",
}
"""OpenID Connect Core 1.0, sections 5.4 and 11; in plain words for the page of consent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """An API: the audience of its tokens as it was registered, and its scopes with what they mean."""

    identifier: str
    name: str = ""
    scopes: Mapping[str, str] = field(default_factory=dict)
    default_scope: str = ""
    """What a request without `scope` gets; all scopes if empty."""
    token_format: TokenFormat | None = None
    access_token_seconds: int | None = None
    requires_dpop: bool = False
    introspected_by: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """Return what people read."""
        return self.name or self.identifier

    @property
    def defaults(self) -> tuple[str, ...]:
        """Return the scopes of a request that names none."""
        return tuple(self.default_scope.split()) or tuple(self.scopes)


class ResourceBook:
    """All resources, by the normal form of their identifiers; one a process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._stored: BoundedCache[str, Mapping[str, Resource]] = BoundedCache(runtime.get(RevocationLog), 1)
        self._own = _by_normal_form([own_api(runtime), *_declared(runtime), *_set(runtime)])

    async def all(self) -> Mapping[str, Resource]:
        """Return every resource by the normal form of its identifier."""
        stored = await self._stored.get(SUBJECT, self._load)
        return {**stored, **self._own} if stored else self._own

    async def find(self, identifier: str) -> Resource | None:
        """Return the resource of an identifier, in whatever way it is written.

        Raises:
            Refused: it is no identifier at all.
        """
        return (await self.all()).get(normal_form(identifier))

    async def of_scope(self, scope: str) -> list[Resource]:
        """Return the resources that have this scope."""
        return [resource for resource in (await self.all()).values() if scope in resource.scopes]

    async def _load(self) -> tuple[Mapping[str, Resource], Sequence[str]]:
        async with self._runtime.reads() as session:
            rows = await ResourceRepository(session).list_all()
        return _by_normal_form(resource_of(row) for row in rows), [SUBJECT]


def own_api(runtime: Runtime) -> Resource:
    """Return our own API; its scopes are the permissions that somebody but the person himself may have."""
    book = runtime.get(RoleBook)
    grantable = (name for name in sorted(book.permissions) if not book.permissions[name].is_interactive)
    return Resource(
        identifier=runtime.settings.public_url + API_PATH,
        name=runtime.settings.name,
        scopes={name: words_of(name) for name in grantable},
        default_scope="user:self:read",
    )


def resource_of(row: OAuthResource) -> Resource:
    """Return the value of a row."""
    return Resource(
        identifier=row.identifier,
        name=row.name,
        scopes={name: str(meaning) for name, meaning in row.scopes.items()},
        default_scope=row.default_scope,
        token_format=row.token_format,
        access_token_seconds=row.access_token_seconds,
        requires_dpop=row.requires_dpop,
        introspected_by=tuple(row.introspected_by),
    )


def _declared(runtime: Runtime) -> list[Resource]:
    return runtime.get(FeatureSet).contributed(Resource)


def _set(runtime: Runtime) -> list[Resource]:
    return [
        Resource(
            identifier=each.identifier,
            name=each.name,
            scopes=each.scopes,
            default_scope=each.default_scope,
            requires_dpop=each.requires_dpop,
        )
        for each in runtime.section(OAuthSettings).resources
    ]


def _by_normal_form(resources: Iterable[Resource]) -> Mapping[str, Resource]:
    return {normal_form(resource.identifier): resource for resource in resources}
