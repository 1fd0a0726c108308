"""SQL of tenants, the roles that they make, their grants and groups."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, select, update

from portico.access.models import Group, GroupMember, PrincipalRow, Tenant, TenantGrant, TenantRole
from portico.access.types import OrganizationRole
from portico.db.repositories import Repository
from portico.http.authentication import PrincipalKind


class TenantRepository(Repository[Tenant]):
    """The tenants."""

    async def lock(self, tenant_id: UUID) -> Tenant | None:
        """Let nobody else change who holds what in the tenant until the commit; None if there is none.

        Taken first by everybody who changes grants, roles or groups: two who take rights from each other are one after
        the other, and the second finds that he has none.
        """
        query = select(Tenant).where(Tenant.id == tenant_id).with_for_update(key_share=True)
        return (await self.session.scalars(query.execution_options(populate_existing=True))).one_or_none()

    async def set_disabled(self, tenant_id: UUID, since: datetime | None) -> None:
        """Note since when rights in the tenant count for nothing, or that they count again."""
        await self.session.execute(update(Tenant).where(Tenant.id == tenant_id).values(disabled_at=since))

    async def set_rules(self, tenant_id: UUID, rules: dict[str, Any]) -> None:
        """Note how one must have signed in."""
        await self.session.execute(update(Tenant).where(Tenant.id == tenant_id).values(rules=rules))

    async def delete(self, tenant_id: UUID) -> None:
        """Delete the tenant with its roles, grants and groups."""
        await self.session.execute(delete(TenantGrant).where(TenantGrant.tenant_id == tenant_id))
        await self.session.execute(delete(Tenant).where(Tenant.id == tenant_id))


class TenantRoleRepository(Repository[TenantRole]):
    """The roles that tenants made."""

    async def find(self, tenant_id: UUID, role_id: UUID) -> TenantRole | None:
        """Return a role of this tenant."""
        query = select(TenantRole).where(TenantRole.tenant_id == tenant_id, TenantRole.id == role_id)
        return (await self.session.scalars(query)).one_or_none()

    async def list_of(self, tenant_id: UUID) -> Sequence[TenantRole]:
        """Return the roles of a tenant, sorted by name."""
        query = select(TenantRole).where(TenantRole.tenant_id == tenant_id).order_by(TenantRole.name)
        return (await self.session.scalars(query)).all()

    async def exists_name(self, tenant_id: UUID, name: str, *, except_id: UUID | None = None) -> bool:
        """Tell whether another role has the name."""
        query = select(TenantRole.id).where(TenantRole.tenant_id == tenant_id, TenantRole.name == name)
        if except_id is not None:
            query = query.where(TenantRole.id != except_id)
        return bool(await self.session.scalar(select(exists(query))))

    async def exists_holder(self, role_id: UUID) -> bool:
        """Tell whether somebody holds the role."""
        return bool(await self.session.scalar(select(exists().where(TenantGrant.role_id == role_id))))


class TenantGrantRepository(Repository[TenantGrant]):
    """Who holds which role in which tenant."""

    async def list_of(self, tenant_id: UUID, holder_ids: Collection[UUID]) -> Sequence[TenantGrant]:
        """Return the grants of these holders in a tenant, in the order in which they were given."""
        query = select(TenantGrant).where(
            TenantGrant.tenant_id == tenant_id, TenantGrant.holder_id.in_(holder_ids)
        )
        return (await self.session.scalars(query.order_by(TenantGrant.holder_id, TenantGrant.id))).all()

    async def list_tenants(self, principal_id: UUID) -> Sequence[UUID]:
        """Return the tenants of which somebody is a member, the first joined first."""
        query = (
            select(TenantGrant.tenant_id)
            .where(TenantGrant.holder_id == principal_id)
            .group_by(TenantGrant.tenant_id)
            .order_by(func.min(TenantGrant.granted_at), TenantGrant.tenant_id)
        )
        return (await self.session.scalars(query)).all()

    async def revoke(self, grant_ids: Collection[UUID]) -> None:
        """Take these grants away."""
        await self.session.execute(delete(TenantGrant).where(TenantGrant.id.in_(grant_ids)))

    async def list_able_owners(self, tenant_id: UUID) -> Sequence[UUID]:
        """Return the people who own the tenant and may act."""
        query = (
            select(TenantGrant.holder_id)
            .join(PrincipalRow, PrincipalRow.id == TenantGrant.holder_id)
            .where(
                TenantGrant.tenant_id == tenant_id,
                TenantGrant.role == OrganizationRole.OWNER.value,
                PrincipalRow.kind == PrincipalKind.USER,
                PrincipalRow.disabled_at.is_(None),
            )
        )
        return (await self.session.scalars(query)).all()


class GroupRepository(Repository[Group]):
    """Groups and who belongs to them."""

    async def find(self, tenant_id: UUID, group_id: UUID) -> Group | None:
        """Return a group of this tenant."""
        query = select(Group).where(Group.tenant_id == tenant_id, Group.id == group_id)
        return (await self.session.scalars(query)).one_or_none()

    async def list_members(self, group_id: UUID) -> Sequence[UUID]:
        """Return who belongs to the group."""
        query = select(GroupMember.principal_id).where(GroupMember.group_id == group_id)
        return (
            await self.session.scalars(query.order_by(GroupMember.added_at, GroupMember.principal_id))
        ).all()

    async def has_member(self, group_id: UUID, principal_id: UUID) -> bool:
        """Tell whether somebody belongs to the group."""
        query = exists().where(GroupMember.group_id == group_id, GroupMember.principal_id == principal_id)
        return bool(await self.session.scalar(select(query)))

    async def add_member(self, group_id: UUID, principal_id: UUID, now: datetime) -> None:
        """Put somebody into the group."""
        self.session.add(GroupMember(group_id=group_id, principal_id=principal_id, added_at=now))
        await self.session.flush()

    async def remove_member(self, group_id: UUID, principal_id: UUID) -> None:
        """Take somebody out of the group."""
        statement = delete(GroupMember).where(
            GroupMember.group_id == group_id, GroupMember.principal_id == principal_id
        )
        await self.session.execute(statement)

    async def list_of_member(self, tenant_id: UUID, principal_id: UUID) -> Sequence[UUID]:
        """Return the groups of a tenant to which somebody belongs."""
        query = (
            select(Group.id)
            .join(GroupMember, GroupMember.group_id == Group.id)
            .where(Group.tenant_id == tenant_id, GroupMember.principal_id == principal_id)
        )
        return (await self.session.scalars(query)).all()

    async def forget(self, tenant_id: UUID, principal_id: UUID) -> None:
        """Take somebody out of every group of a tenant."""
        ours = select(Group.id).where(Group.tenant_id == tenant_id)
        statement = delete(GroupMember).where(
            GroupMember.principal_id == principal_id, GroupMember.group_id.in_(ours)
        )
        await self.session.execute(statement)

    async def delete_group(self, group_id: UUID) -> None:
        """Delete a group, its grants and who belonged to it."""
        await self.session.execute(delete(TenantGrant).where(TenantGrant.holder_id == group_id))
        await self.session.execute(delete(Group).where(Group.id == group_id))
