"""SQL of principals and of platform roles."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, select, update

from portico.access.models import PrincipalRow, RoleGrant
from portico.access.types import PlatformRole
from portico.db.repositories import Repository


class PrincipalRepository(Repository[PrincipalRow]):
    """The principals."""

    async def set_disabled(self, principal_id: UUID, since: datetime | None) -> None:
        """Note since when a principal may act no more, or that it may again."""
        statement = update(PrincipalRow).where(PrincipalRow.id == principal_id).values(disabled_at=since)
        await self.session.execute(statement)

    async def delete(self, principal_id: UUID) -> None:
        """Delete a principal that nothing refers to any more."""
        await self.session.execute(delete(PrincipalRow).where(PrincipalRow.id == principal_id))


class GrantRepository(Repository[RoleGrant]):
    """Who holds which platform role."""

    async def list_roles(self, principal_id: UUID) -> Sequence[PlatformRole]:
        """Return the roles of one principal, sorted by name."""
        query = select(RoleGrant.role).where(RoleGrant.principal_id == principal_id).order_by(RoleGrant.role)
        return (await self.session.scalars(query)).all()

    async def revoke(self, principal_id: UUID, role: PlatformRole) -> bool:
        """Take a role away; tells whether it was held."""
        statement = delete(RoleGrant).where(RoleGrant.principal_id == principal_id, RoleGrant.role == role)
        result = await self.session.execute(statement.returning(RoleGrant.principal_id))
        return result.first() is not None

    async def exists_grant(self, role: PlatformRole) -> bool:
        """Tell whether anybody holds the role."""
        return bool(await self.session.scalar(select(exists().where(RoleGrant.role == role))))

    async def list_holders(self, role: PlatformRole) -> Sequence[UUID]:
        """Return who holds the role, sorted; nothing is locked."""
        query = select(RoleGrant.principal_id).where(RoleGrant.role == role).order_by(RoleGrant.principal_id)
        return (await self.session.scalars(query)).all()

    async def list_able_holders(self, role: PlatformRole) -> Sequence[UUID]:
        """Return who holds the role and may act; nobody else can change that before the commit.

        Both rows are locked: one that waits here for another's disabling must see it.
        """
        query = (
            select(RoleGrant.principal_id, PrincipalRow.disabled_at)
            .join(PrincipalRow, PrincipalRow.id == RoleGrant.principal_id)
            .where(RoleGrant.role == role)
            .order_by(RoleGrant.principal_id)
            .with_for_update()
        )
        held = (await self.session.execute(query)).all()
        return [principal_id for principal_id, disabled_at in held if disabled_at is None]
