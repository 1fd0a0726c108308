"""SQL of what organizations say of clients, and of where a person's clients may work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, delete, func, or_, select

from portico.access.models import Tenant
from portico.core.ids import new_id
from portico.db.repositories import Repository
from portico.oauth.models import OAuthClient, OAuthClientRule, OAuthGrant, OAuthOrganizationPolicy
from portico.oauth.types import ClientDefault, ClientSource, ClientVerdict
from portico.organizations.models import Membership, Organization


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundWorkplace:
    """An organization of a person, and what it says of one client: of it alone, and of every client."""

    organization_id: UUID
    name: str
    verdict: ClientVerdict | None
    default: ClientDefault


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientInOrganization:
    """A client that works in an organization, or of which something was said there."""

    client_key: UUID
    client_id: str
    name: str | None
    source: ClientSource
    organization_id: UUID | None
    """Of its own: None for those that come from elsewhere."""
    registered: dict[str, Any]
    policy: dict[str, Any]
    verdict: ClientVerdict | None
    asked_by: UUID | None
    decided_by: UUID | None
    changed_at: datetime | None
    people: int
    """How many have connected it there."""
    connected_at: datetime | None
    last_used_at: datetime | None


class RuleRepository(Repository[OAuthClientRule]):
    """Rules and policies of organizations."""

    async def list_workplaces(self, user_id: UUID, client_key: UUID) -> Sequence[FoundWorkplace]:
        """Return the living organizations of a person by name, and what each says of the client."""
        query = (
            self._workplaces(client_key)
            .join(Membership, Membership.organization_id == Organization.id)
            .where(Membership.user_id == user_id)
            .order_by(Organization.name, Organization.id)
        )
        return [_workplace(row) for row in (await self.session.execute(query)).all()]

    async def find_workplace(self, organization_id: UUID, client_key: UUID) -> FoundWorkplace | None:
        """Return what a living organization says of a client."""
        query = self._workplaces(client_key).where(Organization.id == organization_id)
        row = (await self.session.execute(query)).one_or_none()
        return _workplace(row) if row is not None else None

    async def hold_still(self, organization_id: UUID) -> None:
        """Wait for whoever changes rules or members of the organization, and let nobody begin until the commit.

        Many may hold it at once; only those who take the tenant's lock to change something wait.
        """
        query = select(Tenant.id).where(Tenant.id == organization_id).with_for_update(read=True)
        await self.session.execute(query)

    async def find_rule(self, organization_id: UUID, client_key: UUID) -> OAuthClientRule | None:
        """Return what an organization says of a client."""
        query = select(OAuthClientRule).where(
            OAuthClientRule.organization_id == organization_id, OAuthClientRule.client_key == client_key
        )
        return (await self.session.scalars(query)).one_or_none()

    async def save_rule(
        self, organization_id: UUID, client_key: UUID, now: datetime, **values: Any
    ) -> OAuthClientRule:
        """Write what is said of a client from now on."""
        row = await self.find_rule(organization_id, client_key)
        if row is None:
            row = OAuthClientRule(
                id=new_id(), organization_id=organization_id, client_key=client_key, created_at=now
            )
            self.session.add(row)
        for name, value in {**values, "updated_at": now}.items():
            setattr(row, name, value)
        await self.session.flush()
        return row

    async def delete_rule(self, organization_id: UUID, client_key: UUID) -> None:
        """Forget what was said of a client."""
        await self.session.execute(
            delete(OAuthClientRule).where(
                OAuthClientRule.organization_id == organization_id, OAuthClientRule.client_key == client_key
            )
        )

    async def find_default(self, organization_id: UUID) -> ClientDefault:
        """Return what an organization does with clients of which it has said nothing."""
        row = await self.session.get(OAuthOrganizationPolicy, organization_id)
        return row.default if row is not None else ClientDefault.ALLOW

    async def save_default(
        self, organization_id: UUID, default: ClientDefault, now: datetime, decided_by: UUID
    ) -> None:
        """Write it."""
        row = await self.session.get(OAuthOrganizationPolicy, organization_id)
        if row is None:
            row = OAuthOrganizationPolicy(organization_id=organization_id)
            self.session.add(row)
        row.default, row.decided_by, row.updated_at = default, decided_by, now
        await self.session.flush()

    async def list_clients(
        self, organization_id: UUID, client_key: UUID | None = None, *, most: int | None
    ) -> Sequence[ClientInOrganization]:
        """Return clients that work there or of which something was said: first what waits for an answer, then by use.

        With a `client_key` that client alone, also where nothing is known of it there.
        """
        living = (
            select(
                OAuthGrant.client_key,
                func.count(func.distinct(OAuthGrant.user_id)).label("people"),
                func.min(OAuthGrant.created_at).label("since"),
                func.max(OAuthGrant.last_used_at).label("used"),
            )
            .where(OAuthGrant.organization_id == organization_id, OAuthGrant.ended_at.is_(None))
            .group_by(OAuthGrant.client_key)
            .subquery()
        )
        rule = and_(
            OAuthClientRule.client_key == OAuthClient.id, OAuthClientRule.organization_id == organization_id
        )
        is_asked = OAuthClientRule.verdict == ClientVerdict.REQUESTED
        query = (
            select(OAuthClient, OAuthClientRule, living.c.people, living.c.since, living.c.used)
            .outerjoin(living, living.c.client_key == OAuthClient.id)
            .outerjoin(OAuthClientRule, rule)
            .order_by(is_asked.is_(True).desc(), living.c.people.desc().nulls_last(), OAuthClient.id)
            .limit(most)
        )
        if client_key is not None:
            query = query.where(OAuthClient.id == client_key)
        else:
            query = query.where(or_(living.c.people.is_not(None), OAuthClientRule.id.is_not(None)))
        return [_client(*row) for row in (await self.session.execute(query)).all()]

    async def list_grants(self, organization_id: UUID, client_key: UUID) -> Sequence[UUID]:
        """Return a client's living grants there, in the order in which they are locked everywhere."""
        query = select(OAuthGrant.id).where(
            OAuthGrant.organization_id == organization_id,
            OAuthGrant.client_key == client_key,
            OAuthGrant.ended_at.is_(None),
        )
        return (await self.session.scalars(query.order_by(OAuthGrant.id))).all()

    def _workplaces(self, client_key: UUID) -> Select[*tuple[Any, ...]]:
        rule = and_(
            OAuthClientRule.organization_id == Organization.id, OAuthClientRule.client_key == client_key
        )
        return (
            select(
                Organization.id, Organization.name, OAuthClientRule.verdict, OAuthOrganizationPolicy.default
            )
            .select_from(Organization)
            .outerjoin(OAuthClientRule, rule)
            .outerjoin(OAuthOrganizationPolicy, OAuthOrganizationPolicy.organization_id == Organization.id)
            .where(Organization.deleted_at.is_(None))
        )


def _workplace(row: Any) -> FoundWorkplace:
    return FoundWorkplace(
        organization_id=row.id,
        name=row.name,
        verdict=row.verdict,
        default=row.default or ClientDefault.ALLOW,
    )


def _client(
    client: OAuthClient,
    rule: OAuthClientRule | None,
    people: int | None,
    since: datetime | None,
    used: datetime | None,
) -> ClientInOrganization:
    return ClientInOrganization(
        client_key=client.id,
        client_id=client.client_id,
        name=client.name,
        source=client.source,
        organization_id=client.organization_id,
        registered=client.registered,
        policy=client.policy,
        verdict=rule.verdict if rule else None,
        asked_by=rule.asked_by if rule else None,
        decided_by=rule.decided_by if rule else None,
        changed_at=rule.updated_at if rule else None,
        people=people or 0,
        connected_at=since,
        last_used_at=used,
    )
