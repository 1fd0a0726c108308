"""Counting against a model that remembers every entry: it never alerts too early, too late or too often."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings, strategies as st

from portico.alerts.counting import Mark, Novelty, Threshold, microseconds
from portico.alerts.repositories import GroupState, Key
from portico.alerts.rules import AlertRule, Group
from portico.alerts.services.hearing import Heard, Hearing, listen
from portico.alerts.types import AlertStatus, Severity
from portico.audit.types import Outcome, TrailEntry

START = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = timedelta(minutes=10)
LONGEST = timedelta(hours=2)
GROUPS = ("a", "b")


def entry(seconds: int, group: str = "a", weight: int = 1, value: str | None = None) -> TrailEntry:
    return TrailEntry(
        id=uuid4(),
        at=START + timedelta(seconds=seconds),
        action="door.knocked",
        outcome=Outcome.REFUSED,
        organization_id=None,
        actor_id=None,
        on_behalf_of_id=None,
        subject_type=None,
        subject_id=None,
        session_id=None,
        credential_id=None,
        request_id=None,
        reason=group,
        details={"weight": weight, "value": value},
        changes=None,
        personal=None,
    )


def rule_of(threshold: int, *, by_value: bool = False) -> AlertRule:
    return AlertRule(
        name="knocks",
        title="Knocks",
        description="",
        severity=Severity.INFO,
        hears=frozenset({"door.knocked"}),
        group=lambda each: Group(each.reason or ""),
        counting=Threshold(threshold, WINDOW),
        weight=lambda each: int(each.details["weight"]),
        value=(lambda each: each.details["value"]) if by_value else None,
    )


@dataclass
class Kept:
    """What is written between batches."""

    states: dict[Key, GroupState]
    statuses: dict[UUID, AlertStatus]
    counts: dict[UUID, int]


def hear(rule: AlertRule, batches: Sequence[Sequence[TrailEntry]]) -> list[tuple[str, int]]:
    """Return the alerts, each with its group and count; batches that are empty die before they are written."""
    kept, groups = Kept({}, {}, {}), dict[UUID, str]()
    for batch in batches:
        hearing = Hearing(dict(kept.states), kept.statuses, longest=LONGEST, now=START)
        for each in batch:
            group = rule.group(each)
            mark = rule.mark(each)
            if group is not None and mark is not None:
                hearing.take(Heard(rule, (rule.name, group.key), group, each, mark))
        for alert_id, raised in hearing.raised.items():
            kept.counts[alert_id], groups[alert_id] = raised.count, raised.heard.group.key
            kept.statuses[alert_id] = AlertStatus.OPEN
        for alert_id, more in hearing.gone_on.items():
            kept.counts[alert_id] += more.more
        kept.states = hearing.states
    return sorted((groups[alert_id], count) for alert_id, count in kept.counts.items())


def expected(threshold: int, entries: Sequence[TrailEntry], *, by_value: bool) -> list[tuple[str, int]]:
    """Return the same by remembering all: the slow way, which is easy to believe."""
    found = []
    for group in GROUPS:
        pending: list[TrailEntry] = []
        alert: list[datetime] = []  # since when, last heard
        count = 0
        newest = START
        for each in (one for one in entries if one.reason == group):
            weight = int(each.details["weight"])
            if alert and each.at < alert[1] + WINDOW and each.at < alert[0] + LONGEST:
                count += weight
                alert[1] = max(alert[1], each.at)
                newest = max(newest, each.at)
                continue
            if alert:
                found.append((group, count))
                alert, pending = [], []
            last = max([newest, each.at]) if pending else each.at
            newest = max(newest, each.at)
            pending = [one for one in [*pending, each] if one.at > last - WINDOW]
            if by_value:
                pending = list({one.details["value"]: one for one in pending}.values())
            count = sum(int(one.details["weight"]) for one in pending)
            if count >= threshold:
                alert = [each.at, newest]
        if alert:
            found.append((group, count))
    return sorted(found)


def split(entries: list[TrailEntry], cuts: list[int]) -> list[list[TrailEntry]]:
    places = sorted({0, len(entries), *(cut % (len(entries) + 1) for cut in cuts)})
    return [entries[start:end] for start, end in pairwise(places)]


steps = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 60, 299, 300, 301, 599, 600, 601, 3_600, 7_200]),
        st.sampled_from(GROUPS),
        st.integers(1, 4),
        st.sampled_from(["x", "y", "z", "w"]),
    ),
    max_size=60,
)


@pytest.mark.bar("T4")
@settings(max_examples=300, deadline=None)
@given(steps, st.lists(st.integers(0, 1_000), max_size=6), st.integers(1, 8), st.booleans())
def test_each_crossing_raises_exactly_one_alert_however_the_trail_is_cut(
    given_steps: list[tuple[int, str, int, str]], cuts: list[int], threshold: int, by_value: bool
) -> None:
    at, entries = 0, []
    for wait, group, weight, value in given_steps:
        at += wait
        entries.append(entry(at, group, 1 if by_value else weight, value if by_value else None))
    rule = rule_of(threshold, by_value=by_value)

    once = hear(rule, [entries])
    assert hear(rule, split(entries, cuts)) == once
    assert once == expected(threshold, entries, by_value=by_value)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 100_000), max_size=80), st.integers(1, 20))
def test_marks_are_never_more_than_the_threshold_needs(times: list[int], threshold: int) -> None:
    counting, marks = Threshold(threshold, WINDOW), list[Mark]()
    for at in times:
        marks, _ = counting.take(marks, Mark(at * 1_000_000, 1, None, "0"))

        assert len(marks) < threshold


def test_entries_that_come_out_of_order_count_by_their_own_time() -> None:
    counting = Threshold(2, WINDOW)
    late = Mark(microseconds(START), 1, None, "a")
    early = Mark(microseconds(START - 2 * WINDOW), 1, None, "b")
    marks, first = counting.take([], late)
    marks, second = counting.take(marks, early)

    assert (first, second, marks) == ([], [], [late])


def test_novelty_takes_the_first_value_for_known_and_tells_of_each_new_one_once() -> None:
    counting, marks, told = Novelty(timedelta(days=365)), list[Mark](), list[str | None]()
    for day, value in enumerate(["CH", "CH", "DE", "CH", "DE", "FR"]):
        at = microseconds(START + timedelta(days=day))
        marks, new = counting.take(marks, Mark(at, 1, value, "0"))
        told += [mark.value for mark in new]

    assert told == ["DE", "FR"]


def test_novelty_forgets_what_was_not_seen_within_the_window_and_what_is_too_much() -> None:
    counting = Novelty(timedelta(days=10), most=2)
    marks, _ = counting.take([], Mark(0, 1, "A", "0"))
    marks, new = counting.take(marks, Mark(microseconds(START), 1, "B", "0"))
    assert (new, [mark.value for mark in marks]) == ([], ["B"])

    for day, value in enumerate("CDE"):
        marks, _ = counting.take(marks, Mark(microseconds(START) + day, 1, value, "0"))
    assert [mark.value for mark in marks] == ["D", "E"]


def test_rule_that_fails_is_passed_over_and_the_others_hear() -> None:
    class Rules:
        def hearing(self, _action: str) -> tuple[AlertRule, ...]:
            def broken(_entry: TrailEntry) -> bool:
                raise KeyError("gone")

            sound = rule_of(1)
            return (replace(sound, name="broken", where=broken), sound)

    heard = listen(Rules(), entry(0), lambda name: name)  # type: ignore[arg-type]  # only `hearing` is asked

    assert [each.rule.name for each in heard] == ["knocks"]
