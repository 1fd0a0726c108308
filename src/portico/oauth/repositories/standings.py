"""SQL of what an access token is worth now: the grant that it came of, and all that the grant stands on."""

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, and_, bindparam, or_, select

from portico.access.models import Tenant
from portico.db.repositories import Repository
from portico.oauth.models import OAuthGrant, OAuthSpentId
from portico.sessions.models import Session
from portico.users.models import User
from portico.users.types import UserStatus

_GRANT = cast("Table", OAuthGrant.__table__)
_SPENT = cast("Table", OAuthSpentId.__table__)
_SESSION = cast("Table", Session.__table__)
_TENANT = cast("Table", Tenant.__table__)
_USER = cast("Table", User.__table__)

_IS_REVOKED = (
    select(_SPENT.c.id_hash)
    .where(_SPENT.c.id_hash == bindparam("revoked", type_=_SPENT.c.id_hash.type))
    .exists()
)
_STANDING = (
    select(
        _GRANT.c.id,
        _GRANT.c.user_id,
        _GRANT.c.session_id,
        _GRANT.c.organization_id,
        _GRANT.c.context,
        and_(
            ~_IS_REVOKED,
            _GRANT.c.ended_at.is_(None),
            _TENANT.c.disabled_at.is_(None),
            or_(
                _GRANT.c.user_id.is_(None),
                and_(_USER.c.status == UserStatus.ACTIVE, _USER.c.deleted_at.is_(None)),
            ),
            or_(_GRANT.c.is_offline, _SESSION.c.ended_at.is_(None)),
        ).label("is_good"),
    )
    .select_from(
        _GRANT.outerjoin(_USER, _USER.c.id == _GRANT.c.user_id)
        .outerjoin(_TENANT, _TENANT.c.id == _GRANT.c.organization_id)
        .outerjoin(_SESSION, _SESSION.c.id == _GRANT.c.session_id)
    )
    .where(_GRANT.c.id == bindparam("grant_id", type_=_GRANT.c.id.type))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A grant whose token is good now."""

    grant_id: UUID
    user_id: UUID | None
    session_id: UUID | None
    organization_id: UUID | None
    context: dict[str, Any]


class StandingRepository(Repository[OAuthGrant]):
    """What tokens stand on."""

    async def find_good(self, grant_id: UUID, revoked: bytes) -> Standing | None:
        """Return the grant if its person, organization and session are good and the token was not revoked itself.

        `revoked` is the hash under which the token would stand among the spent ids. A session that merely expired
        ends no grant.
        """
        connection = await self.session.connection()
        row = (await connection.execute(_STANDING, {"grant_id": grant_id, "revoked": revoked})).one_or_none()
        if row is None or not row.is_good:
            return None
        return Standing(
            grant_id=row.id,
            user_id=row.user_id,
            session_id=row.session_id,
            organization_id=row.organization_id,
            context=row.context,
        )
