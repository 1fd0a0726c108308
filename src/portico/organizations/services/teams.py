"""Teams: members who hold roles together. Their roles are granted in `portico.access`, where a team is a group."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from portico.access.services import Groups, TenantGrants, roles_held
from portico.core.ids import OrganizationId, PrincipalId, UserId
from portico.db.unit import DatabaseSession
from portico.http.authentication import Principal
from portico.http.pagination import Cursors, Page
from portico.organizations.errors import MemberNotFound, SlugTaken
from portico.organizations.events import (
    TeamCreated,
    TeamDeleted,
    TeamMemberAdded,
    TeamMemberRemoved,
    TeamUpdated,
)
from portico.organizations.models import Team
from portico.organizations.naming import parse_name, parse_team_slug, suggested_slug
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.repositories import MembershipRepository, TeamRepository
from portico.organizations.schemas import TeamListQuery
from portico.organizations.services.acts import Acts, VersionCheck
from portico.organizations.types import TeamFacts

LONGEST_NAME = 80
MANAGE = OrganizationPermission.TEAM_MANAGE
NUMBERED = 50
"""How many teams of one name get a slug by themselves."""


class Teams(Acts):
    """Lists, makes, changes and deletes teams; says who belongs to them and what they hold."""

    async def list_teams(self, organization_id: OrganizationId, query: TeamListQuery) -> Page[TeamFacts]:
        """Return one page of teams.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        async with self._runtime.reads() as session:
            found = await TeamRepository(session).list_teams(
                organization_id, query, Cursors.of(self._runtime)
            )
            teams = await _completed(session, organization_id, found.rows)
        return Page[Any](data=teams, pagination=found.pagination)

    async def list_of_member(self, organization_id: OrganizationId, user_id: UUID) -> list[TeamFacts]:
        """Return the teams to which a member belongs."""
        async with self._runtime.reads() as session:
            rows = await TeamRepository(session).list_of_member(organization_id, user_id)
            return await _completed(session, organization_id, rows)

    async def get_team(self, organization_id: OrganizationId, team_id: UUID) -> TeamFacts:
        """Return a team.

        Raises:
            TeamNotFound: none of this organization's (404).
        """
        if self._unit.is_open:
            return await self._team(self._unit.session, organization_id, team_id)
        async with self._runtime.reads() as session:
            return await self._team(session, organization_id, team_id)

    async def create_team(
        self,
        organization_id: OrganizationId,
        *,
        name: str,
        slug: str | None = None,
        description: str = "",
        actor: Principal,
    ) -> TeamFacts:
        """Make an empty team without roles.

        Raises:
            OrganizationNotFound (404), RightsNotHeld (403), SlugTaken (409), NameMalformed, SlugMalformed (422).
        """
        name = parse_name(name, longest=LONGEST_NAME)
        slug = parse_team_slug(slug) if slug is not None else None
        now = self._runtime.clock.now()
        async with self._unit:
            await self._locked(organization_id, actor=actor, permission=MANAGE)
            slug = await self._free_slug(organization_id, slug, name)
            team_id = await Groups(self._runtime, self._unit).add_group(organization_id)
            teams = TeamRepository(self._unit.session)
            teams.add(
                Team(
                    id=team_id,
                    organization_id=organization_id,
                    name=name,
                    slug=slug,
                    description=description,
                    created_at=now,
                    updated_at=now,
                )
            )
            await teams.flush()
            self._note("team.created", organization_id, team_id, actor, changes={"slug": (None, slug)})
            await self._emit(TeamCreated(at=now, organization_id=organization_id, team_id=team_id))
            return await self.get_team(organization_id, team_id)

    async def update_team(
        self,
        organization_id: OrganizationId,
        team_id: UUID,
        sent: Mapping[str, str],
        *,
        check_version: VersionCheck,
        actor: Principal,
    ) -> TeamFacts:
        """Change the fields that were sent: `name`, `slug`, `description`.

        Raises:
            OrganizationNotFound, TeamNotFound (404), RightsNotHeld (403), PreconditionFailed (412).
            SlugTaken (409), NameMalformed, SlugMalformed (422).
        """
        values = dict(sent)
        if "name" in values:
            values["name"] = parse_name(values["name"], longest=LONGEST_NAME)
        if "slug" in values:
            values["slug"] = parse_team_slug(values["slug"])
        async with self._unit:
            await self._locked(organization_id, actor=actor, permission=MANAGE)
            teams = TeamRepository(self._unit.session)
            row = await teams.get_team(organization_id, team_id)
            check_version(row.version)
            if "slug" in values and await teams.exists_slug(
                organization_id, values["slug"], except_id=team_id
            ):
                raise SlugTaken
            before = {name: getattr(row, name) for name in values}
            for name, value in values.items():
                setattr(row, name, value)
            row.updated_at = self._runtime.clock.now()
            await teams.flush()
            told = values.keys() - {"description"}
            changes = {name: (before[name], values[name]) for name in sorted(told)}
            self._note("team.updated", organization_id, team_id, actor, changes=changes)
            event = TeamUpdated(at=row.updated_at, organization_id=organization_id, team_id=team_id)
            await self._emit(event)
            return await self.get_team(organization_id, team_id)

    async def delete_team(
        self,
        organization_id: OrganizationId,
        team_id: UUID,
        *,
        check_version: VersionCheck,
        actor: Principal,
    ) -> None:
        """Delete a team; what its members held by it they hold no longer.

        Raises:
            OrganizationNotFound, TeamNotFound (404), PreconditionFailed (412).
            RightsNotHeld: it holds what the actor lacks (403).
        """
        async with self._unit:
            await self._locked(organization_id, actor=actor, permission=MANAGE)
            row = await TeamRepository(self._unit.session).get_team(organization_id, team_id)
            check_version(row.version)
            slug = row.slug
            await Groups(self._runtime, self._unit).remove_group(organization_id, team_id, actor=actor)
            self._note("team.deleted", organization_id, team_id, actor, changes={"slug": (slug, None)})
            now = self._runtime.clock.now()
            await self._emit(TeamDeleted(at=now, organization_id=organization_id, team_id=team_id))

    async def set_roles(
        self, organization_id: OrganizationId, team_id: UUID, roles: Collection[str], *, actor: Principal
    ) -> TeamFacts:
        """Have the team's members hold these roles by it and no others.

        Raises:
            OrganizationNotFound, TeamNotFound, RoleNotFound (404).
            RightsNotHeld: a role that would be given or taken holds what the actor lacks (403).
        """
        async with self._unit:
            await self._locked(organization_id, actor=actor, permission=MANAGE)
            await TeamRepository(self._unit.session).get_team(organization_id, team_id)
            await TenantGrants(self._runtime, self._unit).set_roles(
                organization_id, team_id, roles, actor=actor, kind="team"
            )
            return await self.get_team(organization_id, team_id)

    async def list_members(self, organization_id: OrganizationId, team_id: UUID) -> list[UserId]:
        """Return who belongs to the team.

        Raises:
            TeamNotFound: none of this organization's (404).
        """
        async with self._runtime.reads() as session:
            teams = TeamRepository(session)
            await teams.get_team(organization_id, team_id)
            return [UserId(PrincipalId(user_id)) for user_id in await teams.list_members(team_id)]

    async def add_member(
        self, organization_id: OrganizationId, team_id: UUID, user_id: UUID, *, actor: Principal
    ) -> None:
        """Put a member of the organization into a team; nothing happens if he is in it.

        Raises:
            OrganizationNotFound, TeamNotFound, MemberNotFound (404).
            RightsNotHeld: the team holds what the actor lacks (403).
        """
        async with self._unit:
            await self._locked(organization_id, actor=actor, permission=MANAGE)
            await TeamRepository(self._unit.session).get_team(organization_id, team_id)
            await MembershipRepository(self._unit.session).require(organization_id, user_id)
            member = UserId(PrincipalId(user_id))
            groups = Groups(self._runtime, self._unit)
            if not await groups.add_member(organization_id, team_id, member, actor=actor):
                return
            self._note("team.member_added", organization_id, team_id, actor, details={"user": str(user_id)})
            event = TeamMemberAdded(
                at=self._runtime.clock.now(), organization_id=organization_id, team_id=team_id, user_id=member
            )
            await self._emit(event)

    async def remove_member(
        self, organization_id: OrganizationId, team_id: UUID, user_id: UUID, *, actor: Principal
    ) -> None:
        """Take somebody out of a team.

        Raises:
            OrganizationNotFound, TeamNotFound, MemberNotFound (404).
            RightsNotHeld: the team holds what the actor lacks (403).
        """
        async with self._unit:
            await self._locked(organization_id, actor=actor, permission=MANAGE)
            await TeamRepository(self._unit.session).get_team(organization_id, team_id)
            member = UserId(PrincipalId(user_id))
            groups = Groups(self._runtime, self._unit)
            if not await groups.remove_member(organization_id, team_id, member, actor=actor):
                raise MemberNotFound
            self._note("team.member_removed", organization_id, team_id, actor, details={"user": str(user_id)})
            event = TeamMemberRemoved(
                at=self._runtime.clock.now(), organization_id=organization_id, team_id=team_id, user_id=member
            )
            await self._emit(event)

    async def _free_slug(self, organization_id: OrganizationId, slug: str | None, name: str) -> str:
        """Return the slug, or one made of the name, with a number at its end if it must be."""
        teams = TeamRepository(self._unit.session)
        made = (suggested_slug(name, tail) for tail in ("", *map(str, range(2, NUMBERED))))
        wanted = [slug] if slug is not None else [each for each in made if len(each) >= 3]
        for each in wanted:
            if not await teams.exists_slug(organization_id, each):
                return each
        raise SlugTaken

    async def _team(
        self, session: DatabaseSession, organization_id: OrganizationId, team_id: UUID
    ) -> TeamFacts:
        row = await TeamRepository(session).get_team(organization_id, team_id)
        return (await _completed(session, organization_id, [row]))[0]

    def _note(
        self,
        action: str,
        organization_id: OrganizationId,
        team_id: UUID,
        actor: Principal,
        *,
        details: dict[str, Any] | None = None,
        changes: Mapping[str, tuple[Any, Any]] | None = None,
    ) -> None:
        self._record(
            action,
            organization_id,
            actor=actor,
            subject=("team", team_id),
            details=details,
            changes=changes,
        )


async def _completed(
    session: DatabaseSession, organization_id: OrganizationId, rows: Sequence[Team]
) -> list[TeamFacts]:
    """Return the teams with how many belong to them, and what they hold."""
    ids = [row.id for row in rows]
    if not ids:
        return []
    members = await TeamRepository(session).count_members(ids)
    held = await roles_held(session, organization_id, ids)
    return [
        TeamFacts(
            id=row.id,
            name=row.name,
            slug=row.slug,
            description=row.description,
            created_at=row.created_at,
            updated_at=row.updated_at,
            version=row.version,
            members=members.get(row.id, 0),
            roles=held[row.id],
        )
        for row in rows
    ]
