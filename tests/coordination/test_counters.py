"""Windows as settings write them, and the counters in memory."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from portico.coordination.counters import GRAINS, UNLIMITED, Window, parse_windows
from portico.coordination.memory import MemoryCounters
from portico.testing.clock import FrozenClock

TIGHT = parse_windows("3/10second 5/minute")
EIGHTHS = st.lists(st.integers(0, 400), min_size=1, max_size=120)
"""Pauses between hits, in eighths of a second, which floats hold exactly."""
SOME_WINDOWS = st.sampled_from(
    [TIGHT, parse_windows("1/second"), parse_windows("4/second 7/20second 9/minute")]
)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def counters(clock: FrozenClock) -> MemoryCounters:
    return MemoryCounters(clock)


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("10/minute", [Window(10, 60, "minute")]),
        ("500/day 10/minute", [Window(10, 60, "minute"), Window(500, 86_400, "day")]),
        ("5/15minutes, 1/second", [Window(1, 1, "second"), Window(5, 900, "15minute")]),
        ("", []),
    ],
)
def test_windows_are_read_shortest_first(text: str, windows: list[Window]) -> None:
    assert list(parse_windows(text)) == windows


@pytest.mark.parametrize(
    "text", ["10", "0/minute", "ten/minute", "10/fortnight", "10/minute 5/60second", "1/32days", "-1/day"]
)
def test_other_limits_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"limit|longer"):
        parse_windows(text)


def test_hits_beyond_the_amount_are_refused_until_the_window_has_passed(
    counters: MemoryCounters, clock: FrozenClock
) -> None:
    windows = parse_windows("2/minute")
    allowed = [counters.hit_now("a", windows).allowed for _ in range(3)]
    clock.advance(timedelta(seconds=59))
    early = counters.hit_now("a", windows)
    clock.advance(timedelta(seconds=1))

    assert allowed == [True, True, False]
    assert early == (False, 2, 0, 1.0, 1.0)
    assert counters.hit_now("a", windows).allowed


def test_verdict_tells_of_the_window_that_binds_the_most(counters: MemoryCounters) -> None:
    assert counters.hit_now("a", TIGHT) == (True, 3, 2, 10.0, 0.0)


def test_keys_do_not_share_a_window(counters: MemoryCounters) -> None:
    windows = parse_windows("1/minute")
    counters.hit_now("a", windows)

    assert counters.hit_now("b", windows).allowed


def test_hit_refused_by_one_window_is_not_counted_in_the_others(
    counters: MemoryCounters, clock: FrozenClock
) -> None:
    for _ in range(50):
        counters.hit_now("a", TIGHT)
    clock.advance(timedelta(seconds=10))

    assert [counters.hit_now("a", TIGHT).allowed for _ in range(3)] == [True, True, False]


def test_nothing_is_limited_without_windows(counters: MemoryCounters) -> None:
    assert counters.hit_now("a", ()) == UNLIMITED


def test_changed_windows_keep_what_was_counted(counters: MemoryCounters) -> None:
    for _ in range(3):
        counters.hit_now("a", parse_windows("5/minute"))
    counters.hit_now("a", parse_windows("9/hour"))

    verdict = counters.hit_now("a", parse_windows("4/minute 3/hour"))

    assert verdict == (True, 4, 0, 60.0, 0.0)
    assert not counters.hit_now("a", parse_windows("5/minute 2/hour")).allowed


def test_taken_back_hit_leaves_its_room(counters: MemoryCounters) -> None:
    windows = parse_windows("1/minute 2/hour")
    counters.hit_now("a", windows)
    counters.take_back("a")

    assert counters.hit_now("a", windows).allowed
    assert not counters.hit_now("a", windows).allowed


@given(EIGHTHS, SOME_WINDOWS)
def test_no_true_window_holds_more_than_its_amount(pauses: list[int], windows: Sequence[Window]) -> None:
    """And none is refused while less than the amount lies within a window that is a twentieth longer."""
    clock = FrozenClock()
    counters = MemoryCounters(clock)
    allowed: list[float] = []
    for pause in pauses:
        clock.advance(timedelta(seconds=pause / 8))
        now = clock.monotonic()
        if counters.hit_now("a", windows).allowed:
            allowed.append(now)
            for window in windows:
                assert sum(hit > now - window.period_seconds for hit in allowed) <= window.amount
        else:
            longer = [(window.amount, window.period_seconds * (1 + 1 / GRAINS)) for window in windows]
            assert any(sum(hit > now - seconds for hit in allowed) >= amount for amount, seconds in longer)


@given(EIGHTHS, SOME_WINDOWS)
def test_refused_one_is_let_in_after_the_time_he_is_told(
    pauses: list[int], windows: Sequence[Window]
) -> None:
    clock = FrozenClock()
    counters = MemoryCounters(clock)
    for pause in pauses:
        clock.advance(timedelta(seconds=pause / 8))
        verdict = counters.hit_now("a", windows)
        if not verdict.allowed:
            assert 0 < verdict.retry_after <= verdict.reset_after
            clock.advance(timedelta(seconds=verdict.retry_after))
            assert counters.hit_now("a", windows).allowed


def test_table_stays_bounded(clock: FrozenClock) -> None:
    counters = MemoryCounters(clock, max_keys=100)
    for number in range(1_000):
        counters.hit_now(f"key {number}", TIGHT)

    assert len(counters) == 100


@pytest.mark.bar("P39")
def test_flood_of_other_keys_does_not_lift_a_block(clock: FrozenClock) -> None:
    """Blocked keys stay while the flood uses any of its keys less than it took to be blocked."""
    counters = MemoryCounters(clock, max_keys=1_000)
    windows = parse_windows("3/minute 10/hour")
    for blocked in range(50):
        for _ in range(4):
            counters.hit_now(f"blocked {blocked}", windows)
    for number in range(20_000):
        for _ in range(2):
            counters.hit_now(f"flood {number}", windows)

    assert not any(counters.hit_now(f"blocked {blocked}", windows).allowed for blocked in range(50))


def test_keys_whose_windows_have_passed_go_first(clock: FrozenClock) -> None:
    counters = MemoryCounters(clock, max_keys=100)
    windows = parse_windows("5/minute")
    for number in range(95):
        for _ in range(5):
            counters.hit_now(f"old {number}", windows)
    clock.advance(timedelta(minutes=1))
    for number in range(5):
        counters.hit_now(f"living {number}", windows)
    for number in range(60):
        counters.hit_now(f"new {number}", windows)

    assert all(counters.hit_now(f"living {number}", windows).remaining == 3 for number in range(5))
