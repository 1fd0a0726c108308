"""The teams into which an invitation puts whoever accepts it.

Offering a place in a team is putting somebody into it: it takes the right to manage teams, and all that the team holds,
when the mail is sent and again when somebody accepts. A team that was deleted meanwhile is passed over.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from portico.access.services import Groups, TenantGrants, roles_held
from portico.core.ids import OrganizationId, UserId
from portico.http.authentication import Principal
from portico.organizations.errors import TeamNotFound
from portico.organizations.events import TeamMemberAdded
from portico.organizations.models import Team
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.repositories import TeamRepository
from portico.organizations.services.acts import Acts


class InvitedTeams(Acts):
    """Says what teams of an invitation are worth, and puts people into them; in the open unit, under the lock."""

    async def require_known(self, organization_id: OrganizationId, team_ids: Collection[UUID]) -> None:
        """Refuse a team that is none of this organization's.

        Raises:
            TeamNotFound: it is another organization's, or nobody's (404).
        """
        if len(await self.living(organization_id, team_ids)) < len(set(team_ids)):
            raise TeamNotFound

    async def living(self, organization_id: OrganizationId, team_ids: Collection[UUID]) -> Sequence[Team]:
        """Return those of the teams that are still there."""
        return await TeamRepository(self._unit.session).list_some(organization_id, team_ids)

    async def permissions_of(
        self, organization_id: OrganizationId, team_ids: Collection[UUID]
    ) -> frozenset[str]:
        """Return what one must hold to put somebody into those of the teams that are there."""
        ids = [team.id for team in await self.living(organization_id, team_ids)]
        if not ids:
            return frozenset()
        held = await roles_held(self._unit.session, organization_id, ids)
        roles = {role for each in held.values() for role in each}
        given = await TenantGrants(self._runtime, self._unit).permissions_of(organization_id, roles)
        return given | {OrganizationPermission.TEAM_MANAGE.value}

    async def put_in(
        self,
        organization_id: OrganizationId,
        team_ids: Collection[UUID],
        user_id: UserId,
        *,
        actor: Principal | UUID,
    ) -> None:
        """Put a member into the teams that are there; what they hold was measured by the caller."""
        groups = Groups(self._runtime, self._unit)
        for team in await self.living(organization_id, team_ids):
            if not await groups.add_member(organization_id, team.id, user_id, actor=None):
                continue
            self._record(
                "team.member_added",
                organization_id,
                actor=actor,
                subject=("team", team.id),
                details={"user": str(user_id)},
            )
            event = TeamMemberAdded(
                at=self._runtime.clock.now(),
                organization_id=organization_id,
                team_id=team.id,
                user_id=user_id,
            )
            await self._emit(event)
