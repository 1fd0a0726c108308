"""SQL of organizations."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import flag_modified

from portico.access.models import Tenant, TenantGrant
from portico.access.types import OrganizationRole, SignInRules
from portico.core.ids import OrganizationId
from portico.db.repositories import Repository
from portico.http.access import OrganizationNotFound
from portico.http.pagination import Cursors, Ordering, Slice, fetch_page
from portico.organizations.errors import SlugTaken
from portico.organizations.models import Membership, Organization
from portico.organizations.schemas import AdminOrganizationListQuery, OrganizationListQuery
from portico.organizations.types import OrganizationFacts, OrganizationStatus
from portico.users.usernames import skeleton

OWN = "GET /organizations"
ALL = "GET /admin/organizations"
_OWN: tuple[Any, ...] = (Organization, Membership.joined_at)


class OrganizationRepository(Repository[Organization]):
    """The organizations."""

    async def get_living(self, organization_id: UUID, *, lock: bool = False) -> Organization:
        """Return an organization that is not deleted; with `lock` unchanged by others until the commit.

        Raises:
            OrganizationNotFound: there is none (404).
        """
        return await self._get(organization_id, Organization.deleted_at.is_(None), lock=lock)

    async def get_deleted(self, organization_id: UUID, *, lock: bool = False) -> Organization:
        """Return an organization that can be restored.

        Raises:
            OrganizationNotFound: there is none, or it lives (404).
        """
        return await self._get(organization_id, Organization.deleted_at.is_not(None), lock=lock)

    async def get_by_slug(self, slug: str) -> Organization:
        """Return the living organization with this very slug.

        Raises:
            OrganizationNotFound: there is none (404).
        """
        query = select(Organization).where(
            Organization.slug_key == skeleton(slug),
            Organization.slug == slug,
            Organization.deleted_at.is_(None),
        )
        found = await self.session.scalar(query)
        if found is None:
            raise OrganizationNotFound
        return found

    async def find(self, organization_id: UUID) -> Organization | None:
        """Return an organization, deleted or not."""
        return await self.session.get(Organization, organization_id)

    async def _get(
        self, organization_id: UUID, condition: ColumnElement[bool], *, lock: bool
    ) -> Organization:
        query = select(Organization).where(Organization.id == organization_id, condition)
        if lock:
            query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
        found = await self.session.scalar(query)
        if found is None:
            raise OrganizationNotFound
        return found

    async def get_rules(self, organization_id: UUID) -> SignInRules:
        """Return how one must have signed in to act there; none where there is no such organization."""
        kept = await self.session.scalar(select(Tenant.rules).where(Tenant.id == organization_id))
        return SignInRules.of_json(kept or {})

    async def exists_slug(self, key: str) -> bool:
        """Tell whether a living organization has a slug that looks the same."""
        query = exists().where(Organization.slug_key == key, Organization.deleted_at.is_(None))
        return bool(await self.session.scalar(select(query)))

    async def count_owned(self, user_id: UUID) -> int:
        """Return how many living organizations a person owns."""
        query = (
            select(func.count())
            .select_from(TenantGrant)
            .join(Organization, Organization.id == TenantGrant.tenant_id)
            .where(
                TenantGrant.holder_id == user_id,
                TenantGrant.role == OrganizationRole.OWNER.value,
                Organization.deleted_at.is_(None),
            )
        )
        return await self.session.scalar(query) or 0

    async def list_own(self, user_id: UUID, query: OrganizationListQuery, cursors: Cursors) -> Slice[Any]:
        """Return one page of the organizations of a person, each with when he joined, the first joined first."""
        statement = (
            select(*_OWN)
            .join_from(Membership, Organization, Organization.id == Membership.organization_id)
            .where(Membership.user_id == user_id)
        )
        wanted = Organization.deleted_at.is_not(None) if query.deleted else Organization.deleted_at.is_(None)
        statement = statement.where(wanted)
        if query.q is not None:
            statement = statement.where(_mentions(query.q))
        ordering = Ordering(Membership.joined_at, Membership.organization_id, descending=query.descending)
        return await fetch_page(
            self.session, statement, query=query, ordering=ordering, cursors=cursors, route=f"{OWN} {user_id}"
        )

    async def list_all(self, query: AdminOrganizationListQuery, cursors: Cursors) -> Slice[Organization]:
        """Return one page of all organizations; without a status the living ones."""
        statement = select(Organization).where(_standing(query.status))
        if query.q is not None:
            statement = statement.where(_mentions(query.q))
        ordering = Ordering(Organization.created_at, Organization.id, descending=query.descending)
        return await fetch_page(
            self.session, statement, query=query, ordering=ordering, cursors=cursors, route=ALL
        )

    async def list_to_erase(self, before: datetime, limit: int) -> Sequence[UUID]:
        """Return organizations that were deleted before `before`, the first deleted first."""
        query = (
            select(Organization.id)
            .where(Organization.deleted_at <= before)
            .order_by(Organization.deleted_at, Organization.id)
            .limit(limit)
        )
        return (await self.session.scalars(query)).all()

    @asynccontextmanager
    async def saving(self) -> AsyncIterator[None]:
        """Write what the block adds or changes, in a savepoint.

        Raises:
            SlugTaken: the unique index says so (409); the transaction stays usable.
        """
        try:
            async with self.session.begin_nested():
                yield
                await self.session.flush()
        except IntegrityError as error:
            if "slug" in str(error.orig):
                raise SlugTaken from error
            raise

    async def touch(self, row: Organization, now: datetime) -> None:
        """Raise the version of an organization whose settings changed elsewhere."""
        row.updated_at = now
        flag_modified(row, "updated_at")
        await self.session.flush()


def facts_of(row: Organization) -> OrganizationFacts:
    """Return an organization as a value."""
    return OrganizationFacts(
        id=OrganizationId(row.id),
        name=row.name,
        slug=row.slug,
        created_at=row.created_at,
        updated_at=row.updated_at,
        disabled_at=row.disabled_at,
        deleted_at=row.deleted_at,
        version=row.version,
    )


def _mentions(words: str) -> ColumnElement[bool]:
    """Look for the text as it stands; `%` and `_` in it are letters (ASVS 5.0 V1.2.9)."""
    sought = words.strip().lower()
    return or_(
        func.lower(Organization.name).contains(sought, autoescape=True),
        Organization.slug.contains(sought, autoescape=True),
    )


def _standing(status: OrganizationStatus | None) -> ColumnElement[bool]:
    living, disabled = Organization.deleted_at.is_(None), Organization.disabled_at.is_not(None)
    match status:
        case OrganizationStatus.DELETED:
            return ~living
        case OrganizationStatus.DISABLED:
            return and_(living, disabled)
        case OrganizationStatus.ACTIVE:
            return and_(living, ~disabled)
        case None:
            return living
