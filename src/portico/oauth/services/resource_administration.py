"""What administrators do with the APIs that tokens can be asked for; every process rereads them after each change."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.core.errors import FieldFault
from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.http.pagination import Cursors, Page, PageQuery
from portico.oauth.errors import ResourceInvalid, ResourceTaken
from portico.oauth.models import OAuthResource
from portico.oauth.protocol.refusals import Refused
from portico.oauth.protocol.rfc8707_resource_indicators import normal_form
from portico.oauth.protocol.scopes import is_scope_token
from portico.oauth.repositories import ResourceAdministrationRepository, ResourceRepository
from portico.oauth.schemas.resources import ResourceResponse
from portico.oauth.services.clients import ClientBook
from portico.oauth.services.resources import IDENTITY_SCOPES, SUBJECT, ResourceBook
from portico.runtime import Runtime

type VersionCheck = Callable[[int], None]
"""Raises where `If-Match` names another version than the present one."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What must not be of an API: where it is, what is told of it, and whether it is so."""

    field: str
    message: str
    is_broken: Callable[[Mapping[str, Any]], bool]


def _has_odd_scope(it: Mapping[str, Any]) -> bool:
    return not all(is_scope_token(scope) for scope in it["scopes"])


def _has_scope_of_identity(it: Mapping[str, Any]) -> bool:
    return any(scope in IDENTITY_SCOPES for scope in it["scopes"])


RULES = (
    Rule("scopes", "a scope is made of visible ASCII without quotes and backslash", _has_odd_scope),
    Rule("scopes", "the scopes of OpenID Connect belong to no API", _has_scope_of_identity),
    Rule(
        "default_scope",
        "names a scope that the API does not have",
        lambda it: not set(it["default_scope"].split()) <= it["scopes"].keys(),
    ),
)
DEFAULTS: Mapping[str, Any] = {
    "name": "",
    "scopes": {},
    "default_scope": "",
    "token_format": None,
    "access_token_seconds": None,
    "requires_dpop": False,
    "introspected_by": [],
}
"""What an API is that says nothing of itself; and the fields that can be changed."""


class ResourceAdministration:
    """Registers, changes and removes resources."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def list_resources(self, query: PageQuery, *, route: str) -> Page[ResourceResponse]:
        """Return one page of those that administrators registered; not those of settings and code.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        cursors = Cursors.of(self._runtime)
        async with self._runtime.reads() as session:
            resources = ResourceAdministrationRepository(session)
            found = await resources.list_resources(query, cursors, route=route)
        return found.to_page(ResourceResponse.of)

    async def get_resource(self, resource_id: UUID) -> OAuthResource:
        """Return a resource.

        Raises:
            ResourceNotFound: there is none (404).
        """
        async with self._runtime.reads() as session:
            return await ResourceAdministrationRepository(session).get_resource(resource_id)

    async def find_by_identifier(self, identifier: str) -> OAuthResource | None:
        """Return the resource of an identifier, in whatever way it is written."""
        wanted = _normal(identifier)
        async with self._runtime.reads() as session:
            rows = await ResourceRepository(session).list_all()
        return _among(rows, wanted)

    async def create_resource(
        self, identifier: str, facts: Mapping[str, Any], *, actor: Principal | None
    ) -> OAuthResource:
        """Register an API under an identifier that no other has, however it is written.

        Raises:
            ResourceInvalid: `errors` says what is wrong (400).
            ResourceTaken: there is one, of an administrator, of the settings, or our own (409).
        """
        now, values = self._runtime.clock.now(), {**DEFAULTS, **facts}
        wanted = _normal(identifier)
        if wanted == normal_form(self._runtime.settings.public_url):
            raise _invalid("identifier", "is our own: tokens for it are for us alone")
        if wanted in await self._runtime.get(ResourceBook).all():
            raise ResourceTaken
        await self._check(values)
        async with self._unit:
            resources = ResourceAdministrationRepository(self._unit.session)
            if _among(await ResourceRepository(self._unit.session).list_all(), wanted) is not None:
                raise ResourceTaken
            row = OAuthResource(id=new_id(), identifier=identifier, created_at=now, updated_at=now, **values)
            await resources.add_resource(row)
            await self._announce("created", row, actor)
        return row

    async def change_resource(
        self,
        resource_id: UUID,
        changes: Mapping[str, Any],
        *,
        check_version: VersionCheck,
        actor: Principal | None,
    ) -> OAuthResource:
        """Change what is said of an API; its identifier stays, because tokens carry it.

        Raises:
            ResourceNotFound (404), PreconditionFailed (412).
            ResourceInvalid: `errors` says what is wrong (400).
        """
        if "introspected_by" in changes:
            await self._check_askers(changes["introspected_by"])
        async with self._unit:
            resources = ResourceAdministrationRepository(self._unit.session)
            row = await resources.get_resource(resource_id, lock=True)
            check_version(row.version)
            _check_rules({name: changes.get(name, getattr(row, name)) for name in DEFAULTS})
            changed = {name: value for name, value in changes.items() if getattr(row, name) != value}
            for name, value in changed.items():
                setattr(row, name, value)
            if changed:
                row.updated_at = self._runtime.clock.now()
                await resources.flush()
                await self._announce("changed", row, actor, {"members": sorted(changed)})
        return row

    async def delete_resource(
        self, resource_id: UUID, *, check_version: VersionCheck, actor: Principal | None
    ) -> None:
        """Remove an API: nobody gets tokens for it any more; those that there are run out.

        Raises:
            ResourceNotFound (404), PreconditionFailed (412).
        """
        async with self._unit:
            resources = ResourceAdministrationRepository(self._unit.session)
            row = await resources.get_resource(resource_id, lock=True)
            check_version(row.version)
            await resources.remove(row)
            await self._announce("deleted", row, actor)

    async def _check(self, values: Mapping[str, Any]) -> None:
        _check_rules(values)
        await self._check_askers(values["introspected_by"])

    async def _check_askers(self, client_ids: Iterable[str]) -> None:
        book = self._runtime.get(ClientBook)
        for client_id in client_ids:
            if await book.find_known(client_id) is None:
                raise _invalid("introspected_by", f"{client_id[:200]} is no application of ours")

    async def _announce(
        self,
        act: str,
        row: OAuthResource,
        actor: Principal | None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        await self._runtime.get(RevocationLog).append(self._unit, [SUBJECT])
        record(
            self._runtime,
            self._unit,
            f"oauth.resource.{act}",
            actor=actor,
            subject=("oauth_resource", row.id),
            details={"identifier": row.identifier, **(details or {})},
        )


def _among(rows: Iterable[OAuthResource], wanted: str) -> OAuthResource | None:
    return next((row for row in rows if normal_form(row.identifier) == wanted), None)


def _normal(identifier: str) -> str:
    try:
        return normal_form(identifier)
    except Refused as refused:
        raise _invalid("identifier", refused.description.removeprefix("resource ")) from None


def _check_rules(values: Mapping[str, Any]) -> None:
    faults = [FieldFault("invalid", rule.message, rule.field) for rule in RULES if rule.is_broken(values)]
    if faults:
        raise ResourceInvalid(faults[0].message, errors=faults)


def _invalid(name: str, message: str) -> ResourceInvalid:
    return ResourceInvalid(message, errors=[FieldFault("invalid", message, name)])
