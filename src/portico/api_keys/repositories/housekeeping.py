"""SQL of what is done with keys now and then: uses noted, reminders, ends, forgetting."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, delete, or_, select, update

from portico.access.models import PrincipalRow, TenantGrant
from portico.access.types import OrganizationRole
from portico.api_keys.models import ApiKey
from portico.api_keys.repositories.keys import living
from portico.api_keys.types import Use
from portico.db.repositories import Repository
from portico.http.authentication import PrincipalKind
from portico.organizations.models import Organization


class HousekeepingRepository(Repository[ApiKey]):
    """The keys, as the clock looks at them."""

    async def note_use(self, use: Use) -> None:
        """Add what a process saw of a key, and give back what it did not use of a quota. Past the version."""
        day = date.fromordinal(use.day)
        counted = case(
            (ApiKey.used_on == day, ApiKey.used_today + use.on_day),
            (ApiKey.used_on > day, ApiKey.used_today),
            else_=max(0, use.on_day),
        )
        statement = (
            update(ApiKey)
            .where(ApiKey.id == use.key_id)
            .values(
                last_used_at=case(
                    (or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < use.at), use.at),
                    else_=ApiKey.last_used_at,
                ),
                last_used_address=use.address,
                use_count=ApiKey.use_count + use.count,
                used_today=counted,
                used_on=case((ApiKey.used_on > day, ApiKey.used_on), else_=day),
            )
            .execution_options(synchronize_session=False)
        )
        await self.session.execute(statement)

    async def list_to_remind(self, now: datetime, limit: int) -> Sequence[ApiKey]:
        """Return living keys of whose end somebody is to be told by now."""
        query = select(ApiKey).where(_is_to_remind(now)).order_by(ApiKey.remind_at, ApiKey.id).limit(limit)
        return (await self.session.scalars(query)).all()

    async def claim_to_remind(self, key_ids: Collection[UUID], now: datetime) -> Sequence[ApiKey]:
        """Return those of the keys for which that is so still; nobody else gets them before the commit."""
        query = select(ApiKey).where(ApiKey.id.in_(key_ids), _is_to_remind(now)).order_by(ApiKey.id)
        return (await self.session.scalars(query.with_for_update(skip_locked=True))).all()

    async def name_of(self, organization_id: UUID) -> str | None:
        """Return what an organization is called."""
        name: str | None = await self.session.scalar(
            select(Organization.name).where(Organization.id == organization_id)
        )
        return name

    async def list_owners(self, organization_id: UUID, limit: int) -> Sequence[UUID]:
        """Return the people who own the organization and may act, those who have for longest first."""
        query = (
            select(TenantGrant.holder_id)
            .join(PrincipalRow, PrincipalRow.id == TenantGrant.holder_id)
            .where(
                TenantGrant.tenant_id == organization_id,
                TenantGrant.role == OrganizationRole.OWNER.value,
                PrincipalRow.kind == PrincipalKind.USER,
                PrincipalRow.disabled_at.is_(None),
            )
            .order_by(TenantGrant.granted_at, TenantGrant.holder_id)
            .limit(limit)
        )
        return (await self.session.scalars(query)).all()

    async def list_expired(self, now: datetime, limit: int) -> Sequence[UUID]:
        """Return keys that have reached their end and were not marked so."""
        query = (
            select(ApiKey.id)
            .where(ApiKey.revoked_at.is_(None), ApiKey.expires_at <= now)
            .order_by(ApiKey.expires_at)
            .limit(limit)
        )
        return (await self.session.scalars(query)).all()

    async def list_overlapped(self, now: datetime, limit: int) -> Sequence[UUID]:
        """Return rotated keys whose overlap is over and which were not marked so."""
        query = (
            select(ApiKey.id)
            .where(ApiKey.revoked_at.is_(None), ApiKey.overlap_until <= now)
            .order_by(ApiKey.overlap_until)
            .limit(limit)
        )
        return (await self.session.scalars(query)).all()

    async def remove_dead(self, before: datetime, limit: int) -> int:
        """Delete keys that have been over for long; return how many."""
        dead = select(ApiKey.id).where(ApiKey.revoked_at < before).limit(limit)
        statement = delete(ApiKey).where(ApiKey.id.in_(dead)).returning(ApiKey.id)
        return len((await self.session.execute(statement)).all())


def _is_to_remind(now: datetime) -> ColumnElement[bool]:
    return and_(ApiKey.remind_at <= now, living(now), ApiKey.replaced_by.is_(None))
