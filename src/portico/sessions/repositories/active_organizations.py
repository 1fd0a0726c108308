"""SQL of the organization in which a session works.

A session's row names it; it is believed only while the person holds a grant of his own there, so that no token is ever
minted for an organization that was left.
"""

from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, Table, and_, case, exists, func, select, update

from portico.access.models import Tenant, TenantGrant
from portico.db.unit import DatabaseSession
from portico.sessions.models import Session

_SESSION = cast("Table", Session.__table__)
_EARLIER = _SESSION.alias("earlier")
_GRANT = cast("Table", TenantGrant.__table__)
_OTHER_GRANT = _GRANT.alias("other_grant")
_TENANT = cast("Table", Tenant.__table__)
_OTHER_TENANT = _TENANT.alias("other_tenant")

_BELONGS = (
    select(_GRANT.c.id)
    .where(_GRANT.c.tenant_id == _SESSION.c.active_organization_id, _GRANT.c.holder_id == _SESSION.c.user_id)
    .correlate(_SESSION)
)
ACTIVE_ORGANIZATION: ColumnElement[UUID | None] = case(
    (exists(_BELONGS), _SESSION.c.active_organization_id)
).label("active_organization_id")
"""Of a session's row: in which organization it works, if its person still belongs to it."""


def organization_to_begin_with(user_id: ColumnElement[UUID]) -> ColumnElement[UUID | None]:
    """Return in which organization a new session works: the one used last, else the only one, else none.

    For a person who belongs to none it is one look into an index.
    """
    last = (
        select(_EARLIER.c.active_organization_id)
        .join_from(
            _EARLIER,
            _GRANT,
            and_(
                _GRANT.c.tenant_id == _EARLIER.c.active_organization_id,
                _GRANT.c.holder_id == _EARLIER.c.user_id,
            ),
        )
        .join(_TENANT, _TENANT.c.id == _GRANT.c.tenant_id)
        .where(
            _EARLIER.c.user_id == user_id,
            _EARLIER.c.actor_id.is_(None),  # where he worked himself, not somebody in his name
            _TENANT.c.disabled_at.is_(None),
        )
        .order_by(_EARLIER.c.last_seen_at.desc(), _EARLIER.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    another = exists(
        select(_OTHER_GRANT.c.id)
        .join(_OTHER_TENANT, _OTHER_TENANT.c.id == _OTHER_GRANT.c.tenant_id)
        .where(
            _OTHER_GRANT.c.holder_id == user_id,
            _OTHER_GRANT.c.tenant_id != _GRANT.c.tenant_id,
            _OTHER_TENANT.c.disabled_at.is_(None),
        )
    )
    only = (
        select(_GRANT.c.tenant_id)
        .join(_TENANT, _TENANT.c.id == _GRANT.c.tenant_id)
        .where(_GRANT.c.holder_id == user_id, _TENANT.c.disabled_at.is_(None), ~another)
        .limit(1)
        .scalar_subquery()
    )
    belongs_somewhere = exists(select(_GRANT.c.id).where(_GRANT.c.holder_id == user_id))
    return case((belongs_somewhere, func.coalesce(last, only)))


class ActiveOrganizationRepository:
    """Writes in which organization sessions work."""

    def __init__(self, session: DatabaseSession) -> None:
        self.session = session

    async def switch(self, session_id: UUID, user_id: UUID, organization_id: UUID | None) -> bool:
        """Have a session of the person work there; False if it has ended, or is not his."""
        statement = (
            update(_SESSION)
            .where(_SESSION.c.id == session_id, _SESSION.c.user_id == user_id, _SESSION.c.ended_at.is_(None))
            .values(active_organization_id=organization_id)
            .returning(_SESSION.c.id)
        )
        return (await self.session.execute(statement)).first() is not None

    async def leave(self, user_id: UUID, organization_id: UUID) -> None:
        """Have no session of the person work there any more, ended ones neither."""
        statement = (
            update(_SESSION)
            .where(_SESSION.c.user_id == user_id, _SESSION.c.active_organization_id == organization_id)
            .values(active_organization_id=None)
        )
        await self.session.execute(statement)
