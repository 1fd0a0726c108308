"""What somebody holds in an organization, in one statement that is built once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, and_, bindparam, or_, select

from portico.access.models import GroupMember, PrincipalRow, Tenant, TenantGrant, TenantRole
from portico.access.types import SignInRules
from portico.db.unit import DatabaseSession

_TENANT = cast("Table", Tenant.__table__)
_GRANT = cast("Table", TenantGrant.__table__)
_ROLE = cast("Table", TenantRole.__table__)
_PRINCIPAL = cast("Table", PrincipalRow.__table__)
_MEMBER = cast("Table", GroupMember.__table__)

_ID = bindparam("principal_id", type_=_PRINCIPAL.c.id.type)
_GROUPS = select(_MEMBER.c.group_id).where(_MEMBER.c.principal_id == _ID)
_HELD = (
    select(
        _TENANT.c.disabled_at,
        _TENANT.c.rules,
        _GRANT.c.holder_id,
        _GRANT.c.role,
        _GRANT.c.role_id,
        _ROLE.c.permissions,
    )
    .select_from(
        _TENANT.join(
            _GRANT,
            and_(
                _GRANT.c.tenant_id == _TENANT.c.id,
                or_(_GRANT.c.holder_id == _ID, _GRANT.c.holder_id.in_(_GROUPS)),
            ),
        )
        .join(_PRINCIPAL, and_(_PRINCIPAL.c.id == _ID, _PRINCIPAL.c.disabled_at.is_(None)))
        .outerjoin(_ROLE, _ROLE.c.id == _GRANT.c.role_id)
    )
    .where(_TENANT.c.id == bindparam("tenant_id", type_=_TENANT.c.id.type))
)
_STANDING = select(_TENANT.c.disabled_at, _TENANT.c.rules).where(
    _TENANT.c.id == bindparam("tenant_id", type_=_TENANT.c.id.type)
)
_KIND = select(_PRINCIPAL.c.kind, _PRINCIPAL.c.disabled_at).where(_PRINCIPAL.c.id == _ID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a tenant stands, and what somebody was granted in it: roles by name, or by id with their permissions."""

    is_disabled: bool
    rules: SignInRules
    roles: frozenset[str] = frozenset()
    made_roles: tuple[tuple[UUID, Sequence[str]], ...] = ()


class RightsRepository:
    """Reads rights."""

    def __init__(self, session: DatabaseSession) -> None:
        self.session = session

    async def find_standing(self, principal_id: UUID, tenant_id: UUID) -> Standing | None:
        """Return what a member holds, by himself and by his groups; None if he is none, or may act no more."""
        connection = await self.session.connection()
        found = await connection.execute(_HELD, {"principal_id": principal_id, "tenant_id": tenant_id})
        rows = found.all()
        if not any(row.holder_id == principal_id for row in rows):
            return None
        return Standing(
            is_disabled=rows[0].disabled_at is not None,
            rules=SignInRules.of_json(rows[0].rules),
            roles=frozenset(row.role for row in rows if row.role is not None),
            made_roles=tuple(
                {row.role_id: (row.role_id, row.permissions) for row in rows if row.role_id}.values()
            ),
        )

    async def find_tenant(self, tenant_id: UUID) -> Standing | None:
        """Return how a tenant stands."""
        connection = await self.session.connection()
        row = (await connection.execute(_STANDING, {"tenant_id": tenant_id})).first()
        if row is None:
            return None
        return Standing(is_disabled=row.disabled_at is not None, rules=SignInRules.of_json(row.rules))

    async def find_kind(self, principal_id: UUID) -> Any | None:
        """Return kind and `disabled_at` of a principal."""
        connection = await self.session.connection()
        return (await connection.execute(_KIND, {"principal_id": principal_id})).first()
