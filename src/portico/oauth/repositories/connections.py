"""SQL of what a person has connected: his living grants by client, and what he allowed besides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select

from portico.db.repositories import Repository
from portico.oauth.models import OAuthClient, OAuthConsent, OAuthGrant
from portico.oauth.types import ClientSource
from portico.organizations.models import Organization


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundConnection:
    """What a client may do for a person in one place; several rows make one connection."""

    client_key: UUID
    client_id: str
    source: ClientSource
    registered: dict[str, Any]
    organization_id: UUID | None
    organization_name: str | None
    scope: str
    resources: tuple[str, ...]
    since: datetime
    last_used_at: datetime | None


class ConnectionRepository(Repository[OAuthGrant]):
    """Connections of people to clients."""

    async def list_of_person(
        self, user_id: UUID, now: datetime, client_key: UUID | None = None
    ) -> Sequence[FoundConnection]:
        """Return what acts in a person's name, to one client or to all; codes that nobody fetched do not."""
        grant = OAuthGrant
        is_fetched = or_(
            grant.code_hash.is_(None), grant.code_spent_at.is_not(None), grant.code_expires_at > now
        )
        is_going_on = or_(grant.expires_at.is_(None), grant.expires_at > now)
        place = (OAuthClient.id, grant.organization_id, Organization.name, grant.scope, grant.resources)
        query = (
            select(
                *place,
                OAuthClient.client_id,
                OAuthClient.source,
                OAuthClient.registered,
                func.min(grant.created_at).label("since"),
                func.max(grant.last_used_at).label("last_used_at"),
            )
            .join(OAuthClient, OAuthClient.id == grant.client_key)
            .outerjoin(Organization, Organization.id == grant.organization_id)
            .where(grant.user_id == user_id, grant.ended_at.is_(None), is_fetched, is_going_on)
            .group_by(*place, OAuthClient.client_id, OAuthClient.source, OAuthClient.registered)
        )
        if client_key is not None:
            query = query.where(grant.client_key == client_key)
        return [_found(row) for row in (await self.session.execute(query)).all()]

    async def list_allowed(self, user_id: UUID, client_key: UUID | None = None) -> Sequence[FoundConnection]:
        """Return what a person allowed, whether or not anything acts by it now."""
        consent = OAuthConsent
        query = (
            select(
                OAuthClient.id,
                consent.organization_id,
                Organization.name,
                consent.scope,
                consent.resources,
                OAuthClient.client_id,
                OAuthClient.source,
                OAuthClient.registered,
                consent.created_at.label("since"),
            )
            .join(OAuthClient, OAuthClient.id == consent.client_key)
            .outerjoin(Organization, Organization.id == consent.organization_id)
            .where(consent.user_id == user_id)
        )
        if client_key is not None:
            query = query.where(consent.client_key == client_key)
        return [_found(row) for row in (await self.session.execute(query)).all()]


def _found(row: Any) -> FoundConnection:
    return FoundConnection(
        client_key=row.id,
        client_id=row.client_id,
        source=row.source,
        registered=row.registered,
        organization_id=row.organization_id,
        organization_name=row.name,
        scope=row.scope,
        resources=tuple(row.resources),
        since=row.since,
        last_used_at=getattr(row, "last_used_at", None),
    )
