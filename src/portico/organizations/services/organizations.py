"""Organizations come and are renamed; how they end is in `lifecycle`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portico.access.roles import RoleBook
from portico.access.services import TenantGrants, Tenants, rights_in, roles_held
from portico.access.types import OrganizationRole, PlatformRole
from portico.core.entropy import Entropy
from portico.core.ids import OrganizationId, UserId
from portico.http.authentication import Principal
from portico.http.pagination import Cursors, Page
from portico.organizations.errors import CreationClosed, SlugReserved, SlugTaken, TooManyOrganizations
from portico.organizations.events import MemberJoined, OrganizationCreated, OrganizationUpdated
from portico.organizations.models import Membership, Organization
from portico.organizations.naming import Slug, parse_name, parse_slug, suggested_slug
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.repositories import MembershipRepository, OrganizationRepository, facts_of
from portico.organizations.schemas import AdminOrganizationListQuery, OrganizationListQuery
from portico.organizations.services.acts import Acts, VersionCheck
from portico.organizations.settings import OrganizationsSettings
from portico.organizations.types import Creation, Joined, OrganizationFacts, OwnMembership
from portico.sessions.services import ActiveOrganizations

TAIL_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
TAIL_LENGTH = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrganization:
    """An organization, as typed; without a slug one is made of the name."""

    name: str
    slug: str | None = None


class Organizations(Acts):
    """Lists, makes and renames organizations."""

    async def list_own(self, principal: Principal, query: OrganizationListQuery) -> Page[OwnMembership]:
        """Return one page of the organizations to which a person belongs.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        async with self._runtime.reads() as session:
            found = await OrganizationRepository(session).list_own(
                principal.id, query, Cursors.of(self._runtime)
            )
            own = [
                OwnMembership(
                    organization=facts_of(row),
                    roles=(await roles_held(session, OrganizationId(row.id), [principal.id]))[principal.id],
                    joined_at=joined_at,
                    is_active=row.id == principal.organization_id,
                )
                for row, joined_at in found.rows
            ]
        return Page[Any](data=own, pagination=found.pagination)

    async def list_all(self, query: AdminOrganizationListQuery) -> Page[OrganizationFacts]:
        """Return one page of all organizations.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        async with self._runtime.reads() as session:
            found = await OrganizationRepository(session).list_all(query, Cursors.of(self._runtime))
        return found.to_page(facts_of)

    async def get_organization(self, organization_id: OrganizationId) -> OrganizationFacts:
        """Return an organization that is not deleted.

        Raises:
            OrganizationNotFound: there is none (404).
        """
        async with self._runtime.reads() as session:
            return facts_of(await OrganizationRepository(session).get_living(organization_id))

    async def get_by_slug(self, slug: str) -> OrganizationFacts:
        """Return the organization with this very slug that is not deleted.

        Raises:
            OrganizationNotFound: there is none (404).
        """
        async with self._runtime.reads() as session:
            return facts_of(await OrganizationRepository(session).get_by_slug(slug))

    async def find_organization(self, organization_id: OrganizationId) -> OrganizationFacts | None:
        """Return an organization, deleted or not."""
        async with self._runtime.reads() as session:
            row = await OrganizationRepository(session).find(organization_id)
        return None if row is None else facts_of(row)

    async def standing_of(
        self, principal: Principal, organization_id: OrganizationId
    ) -> tuple[tuple[str, ...], frozenset[str]]:
        """Return roles and permissions of the caller there, narrowed to what his credential may do."""
        rights = await rights_in(self._runtime, principal.id, organization_id)
        held = rights.permissions if rights is not None else frozenset()
        if PlatformRole.SUPERUSER in principal.roles:
            held = self._runtime.get(RoleBook).in_organizations
        if principal.scopes is not None:
            held &= principal.scopes
        return (rights.roles if rights is not None else ()), held

    async def create_own(
        self, new: NewOrganization, *, actor: Principal, works_there: bool = False
    ) -> OrganizationFacts:
        """Make an organization that the caller owns; with `works_there` his session works in it from now on.

        Raises:
            CreationClosed: only administrators make them here (403).
            TooManyOrganizations, SlugTaken, SlugReserved (409); NameMalformed, SlugMalformed (422).
        """
        book = self._runtime.get(RoleBook)
        settings = self._runtime.section(OrganizationsSettings)
        may = book.platform_holds(actor.roles, OrganizationPermission.PLATFORM_CREATE.value)
        if settings.creation is Creation.ADMINISTRATORS and not may:
            raise CreationClosed
        most = None if may else settings.max_owned
        owner_id = UserId(actor.id)
        async with self._unit:
            made = await self.create_organization(new, owner_id=owner_id, actor=actor, max_owned=most)
            if works_there:
                await ActiveOrganizations(self._runtime, self._unit).switch(actor, made.id)
            return made

    async def create_organization(
        self,
        new: NewOrganization,
        *,
        owner_id: UserId,
        actor: Principal | None,
        max_owned: int | None = None,
    ) -> OrganizationFacts:
        """Make an organization for a person, who owns it.

        Raises:
            UserNotFound (404), TooManyOrganizations, SlugTaken, SlugReserved (409); NameMalformed, SlugMalformed (422).
        """
        name = parse_name(new.name)
        slug = parse_slug(new.slug) if new.slug is not None else None
        now = self._runtime.clock.now()
        async with self._unit:
            organizations = OrganizationRepository(self._unit.session)
            members = MembershipRepository(self._unit.session)
            await members.lock_person(owner_id)
            if max_owned is not None and await organizations.count_owned(owner_id) >= max_owned:
                raise TooManyOrganizations
            slug = slug or await self._free_slug(organizations, name)
            organization_id = await Tenants(self._runtime, self._unit).add_tenant()
            row = Organization(
                id=organization_id,
                name=name,
                slug=slug.text,
                slug_key=slug.key,
                created_by=actor.id if actor else None,
                created_at=now,
                updated_at=now,
            )
            async with organizations.saving():
                organizations.add(row)
            members.add(
                Membership(
                    organization_id=organization_id, user_id=owner_id, how=Joined.CREATED, joined_at=now
                )
            )
            await members.flush()
            self._record(
                "organization.created",
                organization_id,
                actor=actor,
                details={"owner": str(owner_id)},
                changes={"name": (None, name), "slug": (None, slug.text)},
            )
            await TenantGrants(self._runtime, self._unit).set_roles(
                organization_id, owner_id, [OrganizationRole.OWNER.value], actor=None
            )
            await self._emit(OrganizationCreated(at=now, organization_id=organization_id, owner_id=owner_id))
            joined = MemberJoined(
                at=now, organization_id=organization_id, user_id=owner_id, how=Joined.CREATED
            )
            await self._emit(joined)
        return facts_of(row)

    async def update_organization(
        self,
        organization_id: OrganizationId,
        sent: Mapping[str, str],
        *,
        check_version: VersionCheck,
        actor: Principal,
        permission: OrganizationPermission | None = OrganizationPermission.UPDATE,
    ) -> OrganizationFacts:
        """Change the fields that were sent: `name`, `slug`.

        Raises:
            OrganizationNotFound (404), RightsNotHeld (403), PreconditionFailed (412).
            SlugTaken, SlugReserved (409); NameMalformed, SlugMalformed (422).
        """
        name = parse_name(sent["name"]) if "name" in sent else None
        slug = parse_slug(sent["slug"]) if "slug" in sent else None
        async with self._unit:
            row = await self._locked(organization_id, actor=actor, permission=permission)
            check_version(row.version)
            before = {"name": row.name, "slug": row.slug}
            async with OrganizationRepository(self._unit.session).saving():
                row.name = name or row.name
                if slug is not None:
                    row.slug, row.slug_key = slug.text, slug.key
                row.updated_at = self._runtime.clock.now()
            after = {"name": row.name, "slug": row.slug}
            changes = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
            self._record("organization.updated", organization_id, actor=actor, changes=changes)
            event = OrganizationUpdated(
                at=row.updated_at, organization_id=organization_id, fields=tuple(sorted(changes))
            )
            await self._emit(event)
        return facts_of(row)

    async def _free_slug(self, organizations: OrganizationRepository, name: str) -> Slug:
        """Return a slug made of the name that nobody has; with letters of chance at its end if it must be."""
        for tail in ("", *(_tail(self._runtime.entropy) for _ in range(3))):
            try:
                slug = parse_slug(suggested_slug(name, tail))
            except SlugReserved:
                continue
            if not await organizations.exists_slug(slug.key):
                return slug
        raise SlugTaken


def _tail(entropy: Entropy) -> str:
    return "".join(TAIL_ALPHABET[byte % len(TAIL_ALPHABET)] for byte in entropy.bytes(TAIL_LENGTH))
