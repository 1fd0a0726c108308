"""`GET /users/me` from memory: the bytes of the answer, kept until anything about the person changes.

The commonest request of all. It passes no dependency injection and no serialisation, and in the common case asks no
database: the principal stands in the scope already, and the cache is believed only as long as the revocation log is
(DESIGN section 6). Whatever changes a profile, its address or its roles appends `user:<id>` to that log.
"""

from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from portico.coordination.cache import BoundedCache
from portico.coordination.revocations import RevocationLog
from portico.core.ids import PrincipalId, UserId
from portico.http.access import require_principal
from portico.http.authentication import PRINCIPAL_KEY, Principal, PrincipalKind
from portico.http.etags import Conditions, etag_of
from portico.runtime import Runtime
from portico.users.errors import UserNotFound
from portico.users.schemas import ProfileResponse
from portico.users.services import Users
from portico.users.settings import UsersSettings

JSON: Final = (b"content-type", b"application/json")
CONDITION: Final = b"if-none-match"


class Profile(NamedTuple):
    """A finished answer."""

    version: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class Profiles:
    """The profiles that this process keeps ready; one a process, `runtime.get(Profiles)`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        size = runtime.section(UsersSettings).cached_profiles
        self._cache = BoundedCache[PrincipalId, Profile](runtime.get(RevocationLog), size) if size else None

    def ready(self, user_id: PrincipalId) -> Profile | None:
        """Return the profile if it may be answered from memory."""
        return self._cache.hit(user_id) if self._cache is not None else None

    async def load(self, user_id: PrincipalId) -> Profile:
        """Read the profile and keep it.

        Raises:
            UserNotFound: there is no such living person (404).
        """
        if self._cache is None:
            return await self._read(user_id)

        async def loader() -> tuple[Profile, tuple[str]]:
            return await self._read(user_id), (f"user:{user_id}",)

        return await self._cache.load(user_id, loader)

    async def _read(self, user_id: PrincipalId) -> Profile:
        account = await Users(self._runtime, self._runtime.unit()).find_user(UserId(user_id))
        if account is None:
            raise UserNotFound
        body = ProfileResponse.of(account).model_dump_json().encode()
        length = (b"content-length", str(len(body)).encode())
        etag = (b"etag", etag_of(account.version).encode())
        return Profile(account.version, (JSON, length, etag), body)


class ReadOwnProfile:
    """The ASGI application behind `GET /users/me`; who may call it was checked by the dispatcher."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the caller's profile, or 304 where he has it.

        Raises:
            Unauthenticated: nobody is signed in (401).
            UserNotFound: the caller is no person, or gone (404).
        """
        principal: Principal = scope.get(PRINCIPAL_KEY) or require_principal(Request(scope))
        if principal.kind is not PrincipalKind.USER:
            raise UserNotFound
        profiles: Profiles = scope["app"].state.runtime.get(Profiles)
        profile = profiles.ready(principal.id) or await profiles.load(principal.id)
        _check_condition(scope, profile)
        await send({"type": "http.response.start", "status": 200, "headers": [*profile.headers]})
        body = b"" if scope["method"] == "HEAD" else profile.body
        await send({"type": "http.response.body", "body": body})


def _check_condition(scope: Scope, profile: Profile) -> None:
    """Raise `NotModified` where the caller has this version (304)."""
    for name, value in scope["headers"]:
        if name == CONDITION:
            Conditions(if_none_match=value.decode("latin-1")).answer(Response(), profile.version)
