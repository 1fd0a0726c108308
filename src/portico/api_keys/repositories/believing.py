"""What is asked of a key that is presented, in one statement that is built once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, and_, bindparam, or_, select

from portico.access.models import PrincipalRow, RoleGrant, Tenant
from portico.api_keys.models import ApiKey
from portico.api_keys.types import KeyEnd, KeyKind
from portico.db.unit import DatabaseSession
from portico.organizations.models import Organization
from portico.users.models import User

_KEY = cast("Table", ApiKey.__table__)
_PRINCIPAL = cast("Table", PrincipalRow.__table__)
_USER = cast("Table", User.__table__)
_TENANT = cast("Table", Tenant.__table__)
_ORGANIZATION = cast("Table", Organization.__table__)
_GRANT = cast("Table", RoleGrant.__table__)

_IS_HOLDER_OFF = or_(_PRINCIPAL.c.disabled_at.is_not(None), _USER.c.deleted_at.is_not(None))
_IS_ORGANIZATION_OFF = or_(
    _TENANT.c.disabled_at.is_not(None),
    _ORGANIZATION.c.disabled_at.is_not(None),
    _ORGANIZATION.c.deleted_at.is_not(None),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKey:
    """A key, and how whoever it acts for and its organization stand."""

    id: UUID
    kind: KeyKind
    principal_id: UUID | None
    organization_id: UUID | None
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    rate_limit_per_minute: int | None
    quota_per_day: int | None
    expires_at: datetime | None
    overlap_until: datetime | None
    revoked_at: datetime | None
    revoked_reason: KeyEnd | None
    is_holder_off: bool
    is_organization_off: bool
    roles: frozenset[str]
    """Platform roles of the person; of nobody else."""

    @property
    def ends_at(self) -> datetime | None:
        """Return when it is good no more: its end, or that of the overlap after a rotation."""
        ends = [end for end in (self.expires_at, self.overlap_until) if end is not None]
        return min(ends, default=None)


def _query(where: ColumnElement[bool]) -> Select[Any]:
    return (
        select(
            _KEY.c.id,
            _KEY.c.kind,
            _KEY.c.principal_id,
            _KEY.c.organization_id,
            _KEY.c.scopes,
            _KEY.c.networks,
            _KEY.c.rate_limit_per_minute,
            _KEY.c.quota_per_day,
            _KEY.c.expires_at,
            _KEY.c.overlap_until,
            _KEY.c.revoked_at,
            _KEY.c.revoked_reason,
            _IS_HOLDER_OFF.label("is_holder_off"),
            _IS_ORGANIZATION_OFF.label("is_organization_off"),
            _GRANT.c.role,
        )
        .select_from(
            _KEY.outerjoin(_PRINCIPAL, _PRINCIPAL.c.id == _KEY.c.principal_id)
            .outerjoin(_USER, _USER.c.id == _KEY.c.principal_id)
            .outerjoin(_TENANT, _TENANT.c.id == _KEY.c.organization_id)
            .outerjoin(_ORGANIZATION, _ORGANIZATION.c.id == _KEY.c.organization_id)
            .outerjoin(
                _GRANT,
                and_(_GRANT.c.principal_id == _KEY.c.principal_id, _KEY.c.kind == KeyKind.PERSONAL),
            )
        )
        .where(where)
    )


_BY_HASH = _query(_KEY.c.secret_hash == bindparam("secret_hash", type_=_KEY.c.secret_hash.type))
_BY_ID = _query(_KEY.c.id == bindparam("key_id", type_=_KEY.c.id.type))


class KeyReader:
    """Reads what a key is worth now."""

    def __init__(self, session: DatabaseSession) -> None:
        self.session = session

    async def find_by_hash(self, secret_hash: bytes) -> FoundKey | None:
        """Return the key whose text has this SHA-256."""
        return await self._find(_BY_HASH, {"secret_hash": secret_hash})

    async def find_by_id(self, key_id: UUID) -> FoundKey | None:
        """Return a key."""
        return await self._find(_BY_ID, {"key_id": key_id})

    async def _find(self, query: Select[Any], values: dict[str, Any]) -> FoundKey | None:
        connection = await self.session.connection()
        rows = (await connection.execute(query, values)).mappings().all()
        if not rows:
            return None
        facts = dict(rows[0])
        del facts["role"]
        facts["scopes"], facts["networks"] = tuple(facts["scopes"]), tuple(facts["networks"])
        facts["is_holder_off"] = bool(facts["is_holder_off"])
        facts["is_organization_off"] = bool(facts["is_organization_off"])
        roles = frozenset(row["role"].value for row in rows if row["role"] is not None)
        return FoundKey(**facts, roles=roles)
