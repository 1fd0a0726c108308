"""SQL of alerts."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from portico.alerts.counting import Mark
from portico.alerts.errors import AlertNotFound
from portico.alerts.models import Alert, AlertCounter, AlertFollower, AlertMailbox
from portico.alerts.types import AlertFacts, AlertFilter, AlertStatus, Audience, RuleTotal
from portico.audit.models import AuditEntry, AuditLink
from portico.db.dialects import insert_into
from portico.db.repositories import Repository
from portico.http.pagination import Cursors, Ordering, PageQuery, Slice, fetch_page

ROW = 1
AT_ONCE = 200
"""Groups asked for in one statement: two parameters each, and databases take so many."""
_ALERTS = cast("Table", Alert.__table__)
_COUNTERS = cast("Table", AlertCounter.__table__)
_FOLLOWER = cast("Table", AlertFollower.__table__)
_FACTS = tuple(AlertFacts.__dataclass_fields__)

type Key = tuple[str, str]
"""A rule and the MAC of a group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState:
    """What a rule remembers of a group."""

    marks: tuple[Mark, ...] = ()
    alert_id: UUID | None = None
    alert_since: datetime | None = None
    last_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far the trail has been read."""

    position: int = 0
    heard_from: datetime | None = None


class FollowerRepository(Repository[AlertFollower]):
    """The place on the trail."""

    async def find_place(self) -> Place:
        """Return it; the beginning, where nothing was read yet."""
        row = (await self.session.execute(select(_FOLLOWER).where(_FOLLOWER.c.id == ROW))).one_or_none()
        return Place(position=row.position, heard_from=row.heard_from) if row else Place()

    async def advance(self, before: int, after: int) -> bool:
        """Move it; False if it is not where it was, because somebody else has read on."""
        moved = await self.session.execute(
            update(_FOLLOWER)
            .where(_FOLLOWER.c.id == ROW, _FOLLOWER.c.position == before)
            .values(position=after)
        )
        if cast("Any", moved).rowcount == 1:
            return True
        return before == 0 and await self._begin(after)

    async def _begin(self, position: int) -> bool:
        values = {"id": ROW, "position": position, "heard_from": None}
        statement = insert_into(_FOLLOWER, self.session.get_bind().dialect.name).values(values)
        made = await self.session.execute(statement.on_conflict_do_nothing())
        return bool(cast("Any", made).rowcount == 1)

    async def exists_work(self, now: datetime) -> bool:
        """Tell whether a link is unread or a mail is due."""
        position = select(_FOLLOWER.c.position).where(_FOLLOWER.c.id == ROW).scalar_subquery()
        unread = exists().where(AuditLink.seq > func.coalesce(position, 0))
        due = exists().where(AlertMailbox.due_at <= now)
        return bool(await self.session.scalar(select(or_(unread, due))))

    async def lag(self) -> tuple[int, datetime | None]:
        """Return how many links are unread, and of when the first of them is."""
        position = (await self.find_place()).position
        newest = await self.session.scalar(select(func.max(AuditLink.seq))) or 0
        first = (
            select(AuditEntry.at)
            .join(AuditLink, AuditLink.entry_id == AuditEntry.id)
            .where(AuditLink.seq > position)
            .order_by(AuditLink.seq)
            .limit(1)
        )
        return max(newest - position, 0), await self.session.scalar(first)


class CounterRepository(Repository[AlertCounter]):
    """What rules remember."""

    async def states(self, keys: Collection[Key]) -> dict[Key, GroupState]:
        """Return what is known of these groups."""
        found: dict[Key, GroupState] = {}
        wanted = sorted(keys)
        for start in range(0, len(wanted), AT_ONCE):
            query = select(_COUNTERS).where(
                tuple_(_COUNTERS.c.rule, _COUNTERS.c.group_key).in_(wanted[start : start + AT_ONCE])
            )
            for row in await self.session.execute(query):
                found[row.rule, row.group_key] = GroupState(
                    marks=tuple(Mark(*mark) for mark in row.marks),
                    alert_id=row.alert_id,
                    alert_since=row.alert_since,
                    last_at=row.last_at,
                    expires_at=row.expires_at,
                )
        return found

    async def put(self, states: Mapping[Key, GroupState]) -> None:
        """Write what is remembered from now on."""
        if not states:
            return
        statement = insert_into(_COUNTERS, self.session.get_bind().dialect.name)
        kept = ("marks", "alert_id", "alert_since", "last_at", "expires_at")
        statement = statement.on_conflict_do_update(
            index_elements=[_COUNTERS.c.rule, _COUNTERS.c.group_key],
            set_={name: statement.excluded[name] for name in kept},
        )
        rows = [
            {"rule": rule, "group_key": group_key, **{name: getattr(state, name) for name in kept}}
            for (rule, group_key), state in sorted(states.items())
        ]
        await self.session.execute(statement, rows)

    async def forget(self, group_key: str) -> None:
        """Delete what all rules remember of a group."""
        await self.session.execute(delete(_COUNTERS).where(_COUNTERS.c.group_key == group_key))

    async def remove_expired(self, now: datetime, limit: int) -> int:
        """Delete up to `limit` groups of which nothing counts any more; return how many."""
        old = (
            select(_COUNTERS.c.rule, _COUNTERS.c.group_key)
            .where(_COUNTERS.c.expires_at < now)
            .limit(limit)
            .subquery()
        )
        gone = await self.session.execute(
            delete(_COUNTERS).where(
                tuple_(_COUNTERS.c.rule, _COUNTERS.c.group_key).in_(select(old)), _COUNTERS.c.expires_at < now
            )
        )
        return int(cast("Any", gone).rowcount)


class AlertRepository(Repository[Alert]):
    """The alerts."""

    async def add_raised(self, alerts: Sequence[dict[str, Any]]) -> None:
        """Write new alerts."""
        if alerts:
            await self.session.execute(insert(_ALERTS), alerts)

    async def go_on(self, heard: Sequence[dict[str, Any]]) -> None:
        """Add what was heard to alerts that go on: `alert`, `more`, `entry`, `at`."""
        if not heard:
            return
        at = bindparam("at", type_=_ALERTS.c.last_at.type)
        statement = (
            update(_ALERTS)
            .where(_ALERTS.c.id == bindparam("alert"))
            .values(
                count=_ALERTS.c.count + bindparam("more", type_=BigInteger),
                last_entry_id=bindparam("entry"),
                last_at=case((_ALERTS.c.last_at < at, at), else_=_ALERTS.c.last_at),
            )
        )
        connection = await self.session.connection()
        await connection.execute(statement, heard)

    async def statuses(self, alert_ids: Collection[UUID]) -> dict[UUID, AlertStatus]:
        """Return how far people are with these; those that are gone are left out."""
        found: dict[UUID, AlertStatus] = {}
        wanted = sorted(alert_ids)
        for start in range(0, len(wanted), AT_ONCE):
            query = select(_ALERTS.c.id, _ALERTS.c.status).where(
                _ALERTS.c.id.in_(wanted[start : start + AT_ONCE])
            )
            found.update({row.id: row.status for row in await self.session.execute(query)})
        return found

    async def get(self, alert_id: UUID, where: AlertFilter) -> AlertFacts:
        """Return one that fits the filter.

        Raises:
            AlertNotFound: there is none (404).
        """
        query = select(Alert).where(Alert.id == alert_id, *_conditions(where))
        row = (await self.session.scalars(query)).one_or_none()
        if row is None:
            raise AlertNotFound
        return facts_of(row)

    async def lock(self, alert_id: UUID, where: AlertFilter) -> Alert:
        """Return the row of one that fits the filter; nobody changes it before the commit.

        Raises:
            AlertNotFound: there is none (404).
        """
        query = select(Alert).where(Alert.id == alert_id, *_conditions(where)).with_for_update()
        row = (await self.session.scalars(query)).one_or_none()
        if row is None:
            raise AlertNotFound
        return row

    async def list_page(
        self, query: PageQuery, where: AlertFilter, cursors: Cursors, route: str
    ) -> Slice[AlertFacts]:
        """Return one page by the time when they were raised."""
        found = await fetch_page(
            self.session,
            select(Alert).where(*_conditions(where)),
            query=query,
            ordering=Ordering(Alert.raised_at, Alert.id, descending=query.descending),
            cursors=cursors,
            route=route,
        )
        return Slice([facts_of(row) for row in found.rows], found.pagination)

    async def list_of_person(
        self, user_id: UUID, rules: Collection[str], *, only_open: bool, limit: int | None
    ) -> list[AlertFacts]:
        """Return a person's own alerts, the newest first."""
        query = select(Alert).where(
            Alert.subject_id == user_id, Alert.subject_type == "user", Alert.rule.in_(rules)
        )
        if only_open:
            query = query.where(Alert.status != AlertStatus.RESOLVED)
        query = query.order_by(Alert.raised_at.desc(), Alert.id.desc()).limit(limit)
        return [facts_of(row) for row in await self.session.scalars(query)]

    async def list_by_id(self, alert_ids: Collection[UUID]) -> list[AlertFacts]:
        """Return these, the oldest first; those that are gone are left out."""
        query = select(Alert).where(Alert.id.in_(alert_ids)).order_by(Alert.raised_at, Alert.id)
        return [facts_of(row) for row in await self.session.scalars(query)]

    async def totals(self, since: datetime) -> list[RuleTotal]:
        """Return how often each rule has spoken, and how many of its alerts are open."""
        is_open = Alert.status != AlertStatus.RESOLVED
        is_recent = Alert.raised_at >= since
        query = (
            select(
                Alert.rule,
                func.sum(case((is_recent, 1), else_=0)).label("raised"),
                func.sum(case((is_open, 1), else_=0)).label("open"),
            )
            .where(or_(is_recent, Alert.status.in_((AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED))))
            .group_by(Alert.rule)
            .order_by(Alert.rule)
        )
        return [
            RuleTotal(rule=row.rule, raised=int(row.raised), open=int(row.open))
            for row in await self.session.execute(query)
        ]

    async def erase_person(self, user_id: UUID) -> None:
        """Take from the alerts what is not an id or a count."""
        about = and_(Alert.subject_id == user_id)
        await self.session.execute(update(_ALERTS).where(about).values(details={}, note=None))

    async def remove_old(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` alerts that were last heard of before then; return how many."""
        old = select(_ALERTS.c.id).where(_ALERTS.c.last_at < before).limit(limit)
        gone = await self.session.execute(delete(_ALERTS).where(_ALERTS.c.id.in_(old)))
        return int(cast("Any", gone).rowcount)


class MailboxRepository(Repository[AlertMailbox]):
    """Who waits for mail."""

    async def find(self, user_ids: Iterable[UUID]) -> dict[tuple[UUID, Audience], AlertMailbox]:
        """Return the mailboxes of these people."""
        query = select(AlertMailbox).where(AlertMailbox.user_id.in_(list(user_ids)))
        return {(row.user_id, row.audience): row for row in await self.session.scalars(query)}

    async def list_due(self, now: datetime, limit: int) -> list[tuple[UUID, Audience]]:
        """Return whose mail is due."""
        query = (
            select(AlertMailbox.user_id, AlertMailbox.audience)
            .where(AlertMailbox.due_at <= now)
            .order_by(AlertMailbox.due_at, AlertMailbox.user_id)
            .limit(limit)
        )
        return [(row.user_id, row.audience) for row in await self.session.execute(query)]

    async def lock_due(self, user_id: UUID, audience: Audience, now: datetime) -> AlertMailbox | None:
        """Return a mailbox whose mail is due; None if somebody else was quicker."""
        query = (
            select(AlertMailbox)
            .where(
                AlertMailbox.user_id == user_id,
                AlertMailbox.audience == audience,
                AlertMailbox.due_at <= now,
            )
            .with_for_update()
        )
        return (await self.session.scalars(query)).one_or_none()

    async def forget(self, user_id: UUID) -> None:
        """Delete what a person was to be mailed."""
        await self.session.execute(delete(AlertMailbox).where(AlertMailbox.user_id == user_id))

    async def remove_idle(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` mailboxes that are empty since then; return how many."""
        idle = and_(AlertMailbox.due_at.is_(None), AlertMailbox.mailed_at < before)
        old = select(AlertMailbox.user_id, AlertMailbox.audience).where(idle).limit(limit).subquery()
        gone = await self.session.execute(
            delete(AlertMailbox)
            .where(tuple_(AlertMailbox.user_id, AlertMailbox.audience).in_(select(old)), idle)
            .execution_options(synchronize_session=False)
        )
        return int(cast("Any", gone).rowcount)


def facts_of(row: Alert) -> AlertFacts:
    """Return a row as a value."""
    return AlertFacts(**{name: getattr(row, name) for name in _FACTS})


def forgotten(state: GroupState) -> GroupState:
    """Return the state after its alert has come to rest."""
    return replace(state, alert_id=None, alert_since=None)


def _conditions(where: AlertFilter) -> list[ColumnElement[bool]]:
    exact = ("organization_id", "subject_id", "rule", "severity", "status")
    conditions: list[ColumnElement[bool]] = [
        getattr(Alert, name) == getattr(where, name) for name in exact if getattr(where, name) is not None
    ]
    if where.rules is not None:
        conditions += [Alert.rule.in_(where.rules), Alert.subject_type == "user"]
    if where.since is not None:
        conditions.append(Alert.raised_at >= where.since)
    if where.until is not None:
        conditions.append(Alert.raised_at < where.until)
    return conditions
