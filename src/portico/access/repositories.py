"""SQL of principals and grants."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, exists, func, select

from portico.access.models import PrincipalRow, RoleGrant
from portico.access.types import PlatformRole
from portico.db.repositories import Repository


class PrincipalRepository(Repository[PrincipalRow]):
    """The principals."""


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

    async def count_holders(self, role: PlatformRole, *, lock: bool = False) -> int:
        """Count who holds the role; with `lock`, nobody else can change that before the commit."""
        if lock:
            held = await self.session.scalars(
                select(RoleGrant.principal_id).where(RoleGrant.role == role).with_for_update()
            )
            return len(held.all())
        query = select(func.count()).select_from(RoleGrant).where(RoleGrant.role == role)
        return (await self.session.scalar(query)) or 0
