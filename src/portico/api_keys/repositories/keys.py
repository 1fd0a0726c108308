"""SQL of the keys themselves: found, listed, counted, ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, true, update

from portico.api_keys.errors import ApiKeyNotFound
from portico.api_keys.models import ApiKey
from portico.api_keys.types import Belonging, KeyEnd, KeyFilter, KeyKind, KeyState
from portico.db.repositories import Repository
from portico.http.pagination import Cursors, Ordering, PageQuery, Slice, fetch_page


def belongs(belonging: Belonging) -> ColumnElement[bool]:
    """Return the condition that a key is one of those."""
    if belonging.user_id is not None:
        return and_(ApiKey.principal_id == belonging.user_id, ApiKey.kind == KeyKind.PERSONAL)
    if belonging.organization_id is not None:
        return and_(
            ApiKey.organization_id == belonging.organization_id,
            ApiKey.kind.in_([KeyKind.SERVICE_ACCOUNT, KeyKind.ORGANIZATION]),
        )
    return true()


def living(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a key is good for something still."""
    return and_(
        ApiKey.revoked_at.is_(None),
        or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
        or_(ApiKey.overlap_until.is_(None), ApiKey.overlap_until > now),
    )


def in_state(state: KeyState, now: datetime) -> ColumnElement[bool]:
    """Return the condition that a key stands so."""
    over = or_(ApiKey.revoked_reason == KeyEnd.EXPIRED, ApiKey.expires_at <= now)
    match state:
        case KeyState.ACTIVE:
            return and_(living(now), ApiKey.replaced_by.is_(None))
        case KeyState.ROTATED:
            return and_(living(now), ApiKey.replaced_by.is_not(None))
        case KeyState.EXPIRED:
            return and_(over, or_(ApiKey.revoked_reason.is_(None), ApiKey.revoked_reason == KeyEnd.EXPIRED))
        case KeyState.REVOKED:
            ended = and_(ApiKey.revoked_at.is_not(None), ApiKey.revoked_reason != KeyEnd.EXPIRED)
            return or_(ended, and_(ApiKey.overlap_until <= now, ApiKey.expires_at > now))


def _matching(wanted: KeyFilter, now: datetime) -> list[ColumnElement[bool]]:
    given = {
        ApiKey.kind: wanted.kind,
        ApiKey.principal_id: wanted.principal_id,
        ApiKey.organization_id: wanted.organization_id,
    }
    conditions = [column == value for column, value in given.items() if value is not None]
    return conditions if wanted.state is None else [*conditions, in_state(wanted.state, now)]


class KeyRepository(Repository[ApiKey]):
    """The keys."""

    async def get_key(self, key_id: UUID, belonging: Belonging, *, lock: bool = False) -> ApiKey:
        """Return one of those keys; with `lock` nobody else changes it before the commit.

        Raises:
            ApiKeyNotFound: there is none (404).
        """
        query = select(ApiKey).where(ApiKey.id == key_id, belongs(belonging))
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        found = await self.session.scalar(query)
        if found is None:
            raise ApiKeyNotFound
        return found

    async def list_keys(
        self,
        belonging: Belonging,
        query: PageQuery,
        cursors: Cursors,
        *,
        wanted: KeyFilter,
        now: datetime,
        route: str,
    ) -> Slice[ApiKey]:
        """Return one page of those keys; `route` names the list, with the organization's id where it is of one."""
        statement: Select[Any] = select(ApiKey).where(belongs(belonging), *_matching(wanted, now))
        if query.q is not None:
            words = query.q.strip()
            named = func.lower(ApiKey.name).contains(words.lower(), autoescape=True)
            statement = statement.where(or_(named, ApiKey.shown_prefix == words[:8]))
        ordering = Ordering(ApiKey.created_at, ApiKey.id, descending=query.descending)
        return await fetch_page(
            self.session, statement, query=query, ordering=ordering, cursors=cursors, route=route
        )

    async def list_all(self, belonging: Belonging) -> Sequence[ApiKey]:
        """Return all of those keys, the newest first."""
        query = select(ApiKey).where(belongs(belonging)).order_by(ApiKey.created_at.desc(), ApiKey.id.desc())
        return (await self.session.scalars(query)).all()

    async def count_living(self, principal_id: UUID, now: datetime) -> int:
        """Return how many keys of a principal are good for something."""
        query = select(func.count()).select_from(ApiKey)
        return int(
            await self.session.scalar(query.where(ApiKey.principal_id == principal_id, living(now))) or 0
        )

    async def end(
        self, where: ColumnElement[bool], now: datetime, reason: KeyEnd
    ) -> Sequence[tuple[UUID, UUID | None]]:
        """End those that were not ended before; return their ids and organizations, in order."""
        unended = select(ApiKey.id).where(where, ApiKey.revoked_at.is_(None)).order_by(ApiKey.id)
        locked = (await self.session.scalars(unended.with_for_update())).all()
        if not locked:
            return []
        statement = (
            update(ApiKey)
            .where(ApiKey.id.in_(locked))
            .values(revoked_at=now, revoked_reason=reason, updated_at=now, version=ApiKey.version + 1)
            .returning(ApiKey.id, ApiKey.organization_id)
            .execution_options(synchronize_session=False)
        )
        ended = (await self.session.execute(statement)).all()
        return sorted((key_id, organization_id) for key_id, organization_id in ended)

    async def delete_of(self, user_id: UUID) -> None:
        """Delete a person's own keys."""
        await self.session.execute(
            delete(ApiKey).where(ApiKey.principal_id == user_id, ApiKey.kind == KeyKind.PERSONAL)
        )


def fitting(
    *,
    key_id: UUID | None,
    principal_id: UUID | None,
    organization_id: UUID | None,
    created_by: UUID | None,
    kind: KeyKind | None,
) -> ColumnElement[bool]:
    """Return the condition that a key fits all that is given.

    Raises:
        ValueError: nothing but a kind is given; that would be every key there is.
    """
    given = {
        ApiKey.id: key_id,
        ApiKey.principal_id: principal_id,
        ApiKey.organization_id: organization_id,
        ApiKey.created_by: created_by,
    }
    wanted = [column == value for column, value in given.items() if value is not None]
    if not wanted:
        raise ValueError("say which keys")
    return and_(*wanted) if kind is None else and_(*wanted, ApiKey.kind == kind)


def among(key_ids: Sequence[UUID]) -> ColumnElement[bool]:
    """Return the condition that a key is one of these."""
    return ApiKey.id.in_(key_ids)
