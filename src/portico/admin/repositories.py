"""SQL of the admin API: what is read across features, by their models. Writes go through their services."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select

from portico.access.models import RoleGrant
from portico.access.types import PlatformRole
from portico.admin.schemas import JobListQuery, PersonListQuery
from portico.admin.types import Person, PersonSort, Statistics
from portico.audit.models import AuditEntry
from portico.db.repositories import Repository
from portico.http.pagination import Cursors, Ordering, Slice, count_rows, fetch_page
from portico.messaging.models import JobRecord
from portico.messaging.types import JobStatus, JobView
from portico.sessions.models import Session
from portico.users.models import EmailAddress, User
from portico.users.types import UserStatus

type CountOnce = Callable[[Callable[[], Awaitable[int]]], Awaitable[int]]
"""Answers a count from memory, or by the function that is given."""

PEOPLE = "GET /admin/users"
JOBS = "GET /admin/jobs"
FAILED_SIGN_IN = "password.refused"

_PERSON: tuple[Any, ...] = (
    User.id,
    User.username,
    User.full_name,
    User.locale,
    User.timezone,
    User.status,
    User.created_at,
    User.updated_at,
    User.deleted_at,
    User.version,
)
_DELETED_AT = next(at for at, column in enumerate(_PERSON) if column is User.deleted_at)


class PeopleRepository(Repository[User]):
    """People as administrators see them."""

    async def list_people(
        self, query: PersonListQuery, cursors: Cursors, count_once: CountOnce
    ) -> Slice[Any]:
        """Return one page of people; by cursor it costs the same at any depth.

        Addresses are joined only where the order or a filter needs them; those that are shown are read by `completed`.
        """
        needs_address = query.q is not None or query.verified is not None
        deleted = query.deleted
        counted = _filtered(_people(deleted=deleted, with_address=needs_address), query)
        sorts_by_address = query.sort_by is PersonSort.EMAIL
        statement = _filtered(_people(deleted=deleted, with_address=needs_address or sorts_by_address), query)

        async def count() -> int:
            return await count_once(lambda: count_rows(self.session, counted))

        return await fetch_page(
            self.session,
            statement,
            query=query,
            ordering=_order(query),
            cursors=cursors,
            route=PEOPLE,
            count=count,
        )

    async def find_person(self, user_id: UUID) -> Person | None:
        """Return a living person, with what this transaction has changed of him."""
        await self.flush()
        row = (await self.session.execute(_people().where(User.id == user_id))).first()
        return next(iter(await self.completed([row])), None) if row else None

    async def completed(self, rows: Collection[Any]) -> list[Person]:
        """Add address, roles and last use to the rows of people: three statements, however many rows.

        Who was deleted since the rows were read has no address any more, and is left out.
        """
        ids = [row[0] for row in rows]
        deleted_at = {row[0]: row[_DELETED_AT] for row in rows}
        roles: dict[UUID, list[PlatformRole]] = {}
        for principal_id, role in await self._roles(ids):
            roles.setdefault(principal_id, []).append(role)
        addresses, seen = await self._addresses(deleted_at), await self._last_seen(ids)
        return [
            _person(row, addresses[row[0]], tuple(roles.get(row[0], ())), seen.get(row[0]))
            for row in rows
            if row[0] in addresses
        ]

    async def _addresses(self, deleted_at: Mapping[UUID, datetime | None]) -> dict[UUID, tuple[str, bool]]:
        """Return the address of each; a deleted person's is the one that he let go of in that moment."""
        query = select(
            EmailAddress.user_id, EmailAddress.address, EmailAddress.verified_at, EmailAddress.released_at
        ).where(EmailAddress.user_id.in_(deleted_at), EmailAddress.is_primary)
        found = (await self.session.execute(query)).all()
        return {
            user_id: (address, verified_at is not None)
            for user_id, address, verified_at, released_at in found
            if released_at == deleted_at[user_id]
        }

    async def _roles(self, ids: Collection[UUID]) -> list[tuple[UUID, PlatformRole]]:
        query = select(RoleGrant.principal_id, RoleGrant.role).where(RoleGrant.principal_id.in_(ids))
        found = await self.session.execute(query.order_by(RoleGrant.role))
        return [(row.principal_id, row.role) for row in found]

    async def _last_seen(self, ids: Collection[UUID]) -> dict[UUID, datetime]:
        query = select(Session.user_id, func.max(Session.last_seen_at).label("seen"))
        own = query.where(Session.user_id.in_(ids), Session.actor_id.is_(None))
        found = await self.session.execute(own.group_by(Session.user_id))
        return {row.user_id: row.seen for row in found}

    async def lock_superusers(self) -> None:
        """Let nobody else give or take the role until the commit."""
        query = select(RoleGrant.principal_id).where(RoleGrant.role == PlatformRole.SUPERUSER)
        await self.session.execute(query.order_by(RoleGrant.principal_id).with_for_update())

    async def exists_superuser(self, user_id: UUID | None = None) -> bool:
        """Tell whether this person, or without one anybody, holds the role."""
        query = select(RoleGrant.principal_id).where(RoleGrant.role == PlatformRole.SUPERUSER)
        if user_id is not None:
            query = query.where(RoleGrant.principal_id == user_id)
        return bool(await self.session.scalar(select(exists(query))))

    async def exists_able_superuser(self) -> bool:
        """Tell whether there is a superuser who is living and may sign in."""
        able = exists(
            select(RoleGrant.principal_id)
            .join(User, User.id == RoleGrant.principal_id)
            .where(
                RoleGrant.role == PlatformRole.SUPERUSER,
                User.status == UserStatus.ACTIVE,
                User.deleted_at.is_(None),
            )
        )
        return bool(await self.session.scalar(select(able)))

    async def statistics(self, now: datetime) -> Statistics:
        """Count people, sessions and failed sign-ins."""
        people = await self._people_figures(now)
        failed = select(func.count()).where(
            AuditEntry.action == FAILED_SIGN_IN, AuditEntry.at >= now - timedelta(days=1)
        )
        live = select(func.count()).where(
            Session.ended_at.is_(None), Session.idle_expires_at > now, Session.absolute_expires_at > now
        )
        verified = select(func.count()).where(
            EmailAddress.is_primary, EmailAddress.released_at.is_(None), EmailAddress.verified_at.is_not(None)
        )
        return Statistics(
            at=now,
            **people,
            verified=await self.session.scalar(verified) or 0,
            live_sessions=await self.session.scalar(live) or 0,
            failed_sign_ins_24h=await self.session.scalar(failed) or 0,
        )

    async def _people_figures(self, now: datetime) -> dict[str, int]:
        """Return the figures of living people in one pass over the table."""

        def younger_than(days: int) -> ColumnElement[int]:
            return func.count().filter(User.created_at >= now - timedelta(days=days))

        query = select(
            func.count().label("people"),
            func.count().filter(User.status == UserStatus.ACTIVE).label("active"),
            younger_than(1).label("new_24h"),
            younger_than(7).label("new_7d"),
            younger_than(30).label("new_30d"),
        ).where(User.deleted_at.is_(None))
        return dict((await self.session.execute(query)).mappings().one())


class JobListRepository(Repository[JobRecord]):
    """The list of jobs."""

    async def list_jobs(self, query: JobListQuery, cursors: Cursors) -> Slice[Any]:
        """Return one page, as rows with the fields of a `JobView`."""
        statement = select(*(getattr(JobRecord, name) for name in JobView.__dataclass_fields__))
        asked: list[tuple[Any, ColumnElement[bool]]] = [
            (query.status, JobRecord.status == (query.status or JobStatus.DEAD)),
            (query.queue, JobRecord.queue == query.queue),
            (query.name, JobRecord.name == query.name),
            (query.q, JobRecord.name.contains((query.q or "").strip(), autoescape=True)),
        ]
        statement = statement.where(*(condition for value, condition in asked if value is not None))
        ordering = Ordering(JobRecord.id, JobRecord.id, descending=query.descending)  # ids rise with time
        return await fetch_page(
            self.session, statement, query=query, ordering=ordering, cursors=cursors, route=JOBS
        )


def _order(query: PersonListQuery) -> Ordering:
    if query.sort_by is PersonSort.EMAIL:
        # Unique among the living, so there it is its own tie-breaker: the index needs no help.
        key = User.id if query.deleted else EmailAddress.normal_form
        return Ordering(EmailAddress.normal_form, key, descending=query.descending)
    return Ordering(User.created_at, User.id, descending=query.descending)


def _people(*, deleted: bool = False, with_address: bool = False) -> Select[Any]:
    statement = select(*_PERSON)
    if deleted:
        statement = statement.where(User.deleted_at.is_not(None), User.erased_at.is_(None))
    else:
        statement = statement.where(User.deleted_at.is_(None))
    if not with_address:
        return statement
    # A deleted person has let go of his addresses in the moment of the deletion.
    own = EmailAddress.released_at == User.deleted_at if deleted else EmailAddress.released_at.is_(None)
    return statement.join_from(
        User, EmailAddress, and_(EmailAddress.user_id == User.id, EmailAddress.is_primary, own)
    )


def _filtered(statement: Select[Any], query: PersonListQuery) -> Select[Any]:
    if query.status is not None:
        statement = statement.where(User.status == query.status)
    if query.verified is not None:
        proven = EmailAddress.verified_at.is_not(None)
        statement = statement.where(proven if query.verified else ~proven)
    if query.role is not None:
        holds = exists().where(RoleGrant.principal_id == User.id, RoleGrant.role == query.role)
        statement = statement.where(holds)
    return statement.where(_mentions(query.q)) if query.q is not None else statement


def _mentions(words: str) -> ColumnElement[bool]:
    """Look for the text as it stands; `%` and `_` in it are letters (ASVS 5.0 V1.2.9)."""
    sought = words.strip().lower()
    return or_(
        EmailAddress.normal_form.contains(sought, autoescape=True),
        func.lower(User.username).contains(sought, autoescape=True),
        func.lower(User.full_name).contains(sought, autoescape=True),
    )


def _person(
    row: Any, address: tuple[str, bool], roles: tuple[PlatformRole, ...], last_seen_at: datetime | None
) -> Person:
    id_, username, full_name, locale, timezone, status, created_at, updated_at, deleted_at, version = row
    return Person(
        id=id_,
        email=address[0],
        email_verified=address[1],
        username=username,
        full_name=full_name,
        locale=locale,
        timezone=timezone,
        status=status,
        roles=roles,
        created_at=created_at,
        updated_at=updated_at,
        last_seen_at=last_seen_at,
        deleted_at=deleted_at,
        version=version,
    )
