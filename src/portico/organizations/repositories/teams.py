"""SQL of teams."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, or_, select

from portico.access.models import GroupMember
from portico.db.repositories import Repository
from portico.http.pagination import Cursors, Ordering, Slice, fetch_page
from portico.organizations.errors import TeamNotFound
from portico.organizations.models import Team
from portico.organizations.schemas import TeamListQuery

TEAMS = "GET /organizations/{organization_id}/teams"


class TeamRepository(Repository[Team]):
    """The teams of organizations."""

    async def get_team(self, organization_id: UUID, team_id: UUID) -> Team:
        """Return a team of this organization.

        Raises:
            TeamNotFound: there is none, or another organization's (404).
        """
        query = select(Team).where(Team.organization_id == organization_id, Team.id == team_id)
        found = await self.session.scalar(query.execution_options(populate_existing=True))
        if found is None:
            raise TeamNotFound
        return found

    async def exists_slug(self, organization_id: UUID, slug: str, *, except_id: UUID | None = None) -> bool:
        """Tell whether another team of the organization has the slug."""
        query = select(Team.id).where(Team.organization_id == organization_id, Team.slug == slug)
        if except_id is not None:
            query = query.where(Team.id != except_id)
        return bool(await self.session.scalar(select(exists(query))))

    async def list_teams(self, organization_id: UUID, query: TeamListQuery, cursors: Cursors) -> Slice[Team]:
        """Return one page of teams, sorted by slug."""
        statement = select(Team).where(Team.organization_id == organization_id)
        if query.q is not None:
            sought = query.q.strip().lower()
            statement = statement.where(
                or_(
                    func.lower(Team.name).contains(sought, autoescape=True),
                    Team.slug.contains(sought, autoescape=True),
                )
            )
        ordering = Ordering(Team.slug, Team.id, descending=query.descending)
        route = f"{TEAMS} {organization_id}"
        return await fetch_page(
            self.session, statement, query=query, ordering=ordering, cursors=cursors, route=route
        )

    async def list_members(self, team_id: UUID) -> Sequence[UUID]:
        """Return who belongs to a team, the first added first."""
        query = select(GroupMember.principal_id).where(GroupMember.group_id == team_id)
        ordered = query.order_by(GroupMember.added_at, GroupMember.principal_id)
        return (await self.session.scalars(ordered)).all()

    async def count_members(self, team_ids: Collection[UUID]) -> dict[UUID, int]:
        """Return how many belong to each of the teams."""
        query = (
            select(GroupMember.group_id, func.count())
            .where(GroupMember.group_id.in_(team_ids))
            .group_by(GroupMember.group_id)
        )
        found: Sequence[Any] = (await self.session.execute(query)).all()
        return {team_id: int(count) for team_id, count in found}

    async def list_some(self, organization_id: UUID, team_ids: Collection[UUID]) -> Sequence[Team]:
        """Return those of the teams that are this organization's, sorted by slug."""
        if not team_ids:
            return ()
        query = select(Team).where(Team.organization_id == organization_id, Team.id.in_(team_ids))
        return (await self.session.scalars(query.order_by(Team.slug))).all()

    async def list_of_member(self, organization_id: UUID, user_id: UUID) -> Sequence[Team]:
        """Return the teams of an organization to which a person belongs."""
        query = (
            select(Team)
            .join(GroupMember, GroupMember.group_id == Team.id)
            .where(Team.organization_id == organization_id, GroupMember.principal_id == user_id)
            .order_by(Team.slug)
        )
        return (await self.session.scalars(query)).all()
