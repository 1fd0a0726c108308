"""What a batch of entries means to the rules: no I/O, so that it can be thrown away and done again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from portico.alerts.book import AlertRules
from portico.alerts.counting import Mark, microseconds, moment
from portico.alerts.repositories import GroupState, Key, forgotten
from portico.alerts.rules import AlertRule, Group
from portico.alerts.types import AlertStatus
from portico.audit.types import TrailEntry
from portico.core.ids import new_id

log = structlog.get_logger("portico.alerts")


@dataclass(frozen=True, slots=True)
class Heard:
    """An entry that a rule counts."""

    rule: AlertRule
    key: Key
    group: Group
    entry: TrailEntry
    mark: Mark


@dataclass(slots=True)
class Raised:
    """An alert that is raised by this batch; `entry` is the one that was too much."""

    id: UUID
    heard: Heard
    first_entry_id: UUID
    last_entry_id: UUID
    first_at: datetime
    last_at: datetime
    count: int


@dataclass(slots=True)
class GoneOn:
    """What this batch adds to an alert of before."""

    more: int
    last_entry_id: UUID
    last_at: datetime


def listen(rules: AlertRules, entry: TrailEntry, key_of: Callable[[str], str]) -> list[Heard]:
    """Return what the rules make of an entry. One that fails is reported and hears nothing; the others go on."""
    found = []
    for rule in rules.hearing(entry.action):
        try:
            heard = _heard(rule, entry, key_of)
        except Exception:
            log.exception("alert_rule_failed", rule=rule.name, entry=str(entry.id))
            continue
        if heard is not None:
            found.append(heard)
    return found


def _heard(rule: AlertRule, entry: TrailEntry, key_of: Callable[[str], str]) -> Heard | None:
    if not rule.where(entry):
        return None
    group, mark = rule.group(entry), rule.mark(entry)
    if group is None or mark is None or mark.weight < 1:
        return None
    return Heard(rule, (rule.name, key_of(group.key)), group, entry, mark)


class Hearing:
    """Counts what is heard; afterwards holds what is to be written."""

    def __init__(
        self,
        states: Mapping[Key, GroupState],
        statuses: Mapping[UUID, AlertStatus],
        *,
        longest: timedelta,
        now: datetime,
    ) -> None:
        self.states = dict(states)
        self.raised: dict[UUID, Raised] = {}
        self.gone_on: dict[UUID, GoneOn] = {}
        self._statuses = dict(statuses)
        self._longest = longest
        self._now = now

    def take(self, heard: Heard) -> None:
        """Count one: it goes on with an alert, raises one, or leaves a mark."""
        at, window = heard.entry.at, heard.rule.counting.window
        state = self.states.get(heard.key) or GroupState(last_at=at, expires_at=self._now)
        if state.alert_id is not None and self._goes_on(state, heard):
            self._add(state.alert_id, heard)
        else:
            state = self._counted(forgotten(state), heard)
        self.states[heard.key] = replace(state, last_at=max(state.last_at, at), expires_at=self._now + window)

    def _goes_on(self, state: GroupState, heard: Heard) -> bool:
        at = heard.entry.at
        if state.alert_id is None or state.alert_since is None or not heard.rule.counting.is_lasting:
            return False
        if self._statuses.get(state.alert_id, AlertStatus.RESOLVED) is AlertStatus.RESOLVED:
            return False
        return at < state.last_at + heard.rule.counting.window and at < state.alert_since + self._longest

    def _counted(self, state: GroupState, heard: Heard) -> GroupState:
        kept, spent = heard.rule.counting.take(state.marks, heard.mark)
        if not spent:
            return replace(state, marks=tuple(kept))
        alert = self._raise(heard, spent)
        return replace(state, marks=tuple(kept), alert_id=alert.id, alert_since=heard.entry.at)

    def _raise(self, heard: Heard, spent: list[Mark]) -> Raised:
        first, last = min(spent), max(spent)
        alert = Raised(
            id=new_id(),
            heard=heard,
            first_entry_id=UUID(first.entry),
            last_entry_id=heard.entry.id,
            first_at=moment(first.at),
            last_at=moment(max(last.at, microseconds(heard.entry.at))),
            count=sum(mark.weight for mark in spent),
        )
        self.raised[alert.id] = alert
        self._statuses[alert.id] = AlertStatus.OPEN
        return alert

    def _add(self, alert_id: UUID, heard: Heard) -> None:
        entry = heard.entry
        alert = self.raised.get(alert_id)
        if alert is not None:
            alert.count += heard.mark.weight
            alert.last_entry_id, alert.last_at = entry.id, max(alert.last_at, entry.at)
            return
        gone_on = self.gone_on.setdefault(alert_id, GoneOn(0, entry.id, entry.at))
        gone_on.more += heard.mark.weight
        gone_on.last_entry_id, gone_on.last_at = entry.id, max(gone_on.last_at, entry.at)
