"""Who holds which role in an organization: members and teams.

Every change is made under the tenant's lock and measured by what the actor holds at that moment, so that two who take
each other's rights are one after the other, and the second is refused.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from portico.access.errors import RoleNotFound
from portico.access.events import OrganizationRolesChanged
from portico.access.models import TenantGrant
from portico.access.repositories import GroupRepository, TenantGrantRepository, TenantRoleRepository
from portico.access.roles import RoleBook
from portico.access.services.bounds import require_covered
from portico.access.services.tenants import Tenants
from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.core.ids import OrganizationId, new_id
from portico.db.unit import DatabaseSession, Unit
from portico.http.authentication import Principal
from portico.messaging import EventBus
from portico.runtime import Runtime


class TenantGrants:
    """Gives and takes roles. A role is named by its name if every organization has it, by its id if it was made."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._book = runtime.get(RoleBook)

    async def set_roles(
        self,
        organization_id: OrganizationId,
        holder_id: UUID,
        roles: Collection[str],
        *,
        actor: Principal | None,
        kind: str = "user",
    ) -> tuple[str, ...]:
        """Have a principal or group hold these roles there and no others; an empty collection puts it out.

        Without an `actor` nobody is measured: the first owner, and whoever comes by an invitation that was measured
        when it was made. `kind` is what the trail calls the holder.

        Raises:
            RoleNotFound: the organization has no such role (404).
            RightsNotHeld: a role that would be given or taken holds what the actor lacks (403).
            LastOwner: no owner who can act would be left (409).
        """
        async with self._unit:
            await Tenants(self._runtime, self._unit).lock(organization_id)
            wanted = await self._resolved(organization_id, roles)
            held = await self._held(organization_id, holder_id)
            changed = wanted.keys() ^ held.keys()
            if not changed:
                return tuple(sorted(held))
            subject = (kind, holder_id)
            touched = await self.permissions_of(organization_id, changed)
            if actor is not None:
                await require_covered(
                    self._runtime, self._unit, actor, organization_id, touched, subject=subject
                )
            await self._write(organization_id, holder_id, wanted, held, actor)
            if "owner" in held.keys() - wanted.keys():
                await Tenants(self._runtime, self._unit).keep_an_owner(organization_id)
            await self._announce(organization_id, subject, sorted(held), sorted(wanted), actor)
            return tuple(sorted(wanted))

    async def put_out(
        self,
        organization_id: OrganizationId,
        holder_id: UUID,
        *,
        actor: Principal | None,
        kind: str = "user",
        even_the_last: bool = False,
    ) -> None:
        """Take every role and team membership of a principal there; who leaves himself is measured by nobody.

        `even_the_last`: also of the last owner, because the organization is closed, or he is gone for good.

        Raises:
            RightsNotHeld: he holds what the actor lacks, by himself or by a team (403).
            LastOwner: no owner who can act would be left (409).
        """
        is_himself = actor is not None and actor.id == holder_id and actor.actor_id is None
        async with self._unit:
            await Tenants(self._runtime, self._unit).lock(organization_id)
            held = await self._held(organization_id, holder_id)
            if actor is not None and not is_himself:
                by_groups = await self._held_by_groups(organization_id, holder_id)
                touched = await self.permissions_of(organization_id, held.keys() | by_groups)
                subject = (kind, holder_id)
                await require_covered(
                    self._runtime, self._unit, actor, organization_id, touched, subject=subject
                )
            await GroupRepository(self._unit.session).forget(organization_id, holder_id)
            await self._write(organization_id, holder_id, {}, held, actor)
            if "owner" in held and not even_the_last:
                await Tenants(self._runtime, self._unit).keep_an_owner(organization_id)
            await self._announce(organization_id, (kind, holder_id), sorted(held), [], actor)

    async def require_grantable(
        self, organization_id: OrganizationId, roles: Collection[str], *, actor: Principal
    ) -> None:
        """Refuse roles that the actor could not give, for an invitation; call inside the unit.

        Raises:
            RoleNotFound (404), RightsNotHeld (403).
        """
        await Tenants(self._runtime, self._unit).lock(organization_id)
        wanted = await self._resolved(organization_id, roles)
        touched = await self.permissions_of(organization_id, wanted)
        await require_covered(self._runtime, self._unit, actor, organization_id, touched)

    async def _resolved(
        self, organization_id: OrganizationId, roles: Collection[str]
    ) -> dict[str, UUID | None]:
        """Return the roles asked for, each with its id if it was made."""
        wanted: dict[str, UUID | None] = {}
        for role in roles:
            wanted[role] = None if role in self._book.system else _as_id(role)
        made = {role.id for role in await TenantRoleRepository(self._unit.session).list_of(organization_id)}
        if {role_id for role_id in wanted.values() if role_id is not None} - made:
            raise RoleNotFound
        return {str(role_id) if role_id else name: role_id for name, role_id in wanted.items()}

    async def _held(self, organization_id: OrganizationId, holder_id: UUID) -> dict[str, TenantGrant]:
        grants = await TenantGrantRepository(self._unit.session).list_of(organization_id, [holder_id])
        return {name_of(grant): grant for grant in grants}

    async def _held_by_groups(self, organization_id: OrganizationId, principal_id: UUID) -> set[str]:
        session = self._unit.session
        groups = await GroupRepository(session).list_of_member(organization_id, principal_id)
        held = await TenantGrantRepository(session).list_of(organization_id, groups) if groups else ()
        return {name_of(grant) for grant in held}

    async def permissions_of(self, organization_id: OrganizationId, roles: Iterable[str]) -> frozenset[str]:
        """Return what these roles of the organization hold together."""
        roles = set(roles)
        made = await TenantRoleRepository(self._unit.session).list_of(organization_id)
        held = [self._book.of_organization(role) for role in roles]
        held += [self._book.known(role.permissions) for role in made if str(role.id) in roles]
        return frozenset().union(*held)

    async def _write(
        self,
        organization_id: OrganizationId,
        holder_id: UUID,
        wanted: dict[str, UUID | None],
        held: dict[str, TenantGrant],
        actor: Principal | None,
    ) -> None:
        grants = TenantGrantRepository(self._unit.session)
        gone = [grant.id for name, grant in held.items() if name not in wanted]
        if gone:
            await grants.revoke(gone)
        now = self._runtime.clock.now()
        grants.add_all(
            TenantGrant(
                id=new_id(),
                tenant_id=organization_id,
                holder_id=holder_id,
                role=None if role_id else name,
                role_id=role_id,
                granted_by=actor.id if actor else None,
                granted_at=now,
            )
            for name, role_id in wanted.items()
            if name not in held
        )
        await grants.flush()

    async def _announce(
        self,
        organization_id: OrganizationId,
        subject: tuple[str, UUID],
        before: list[str],
        after: list[str],
        actor: Principal | None,
    ) -> None:
        runtime, unit = self._runtime, self._unit
        record(
            runtime,
            unit,
            "organization.roles_changed",
            actor=actor,
            subject=subject,
            organization_id=organization_id,
            changes={"roles": (before, after)},
        )
        # A team's roles concern all of its members; a principal's concern him alone.
        concerned = f"tenant:{organization_id}" if subject[0] == "team" else f"user:{subject[1]}"
        await runtime.get(RevocationLog).append(unit, [concerned])
        event = OrganizationRolesChanged(
            at=runtime.clock.now(),
            organization_id=organization_id,
            holder_id=subject[1],
            roles=tuple(after),
            widened=bool(set(after) - set(before)),
        )
        await runtime.get(EventBus).emit(event, unit)


async def roles_held(
    session: DatabaseSession, organization_id: OrganizationId, holder_ids: Collection[UUID]
) -> dict[UUID, tuple[str, ...]]:
    """Return what each of these principals or groups holds there by itself."""
    held: dict[UUID, list[str]] = {holder_id: [] for holder_id in holder_ids}
    for grant in await TenantGrantRepository(session).list_of(organization_id, holder_ids):
        held[grant.holder_id].append(name_of(grant))
    return {holder_id: tuple(sorted(roles)) for holder_id, roles in held.items()}


def name_of(grant: TenantGrant) -> str:
    """Return how the role of a grant is named."""
    return grant.role if grant.role is not None else str(grant.role_id)


def _as_id(role: str) -> UUID:
    try:
        return UUID(role)
    except ValueError:
        raise RoleNotFound from None
