"""A mail server that takes nobody's message is left alone longer each time."""

from datetime import timedelta

from portico.mail.backoff import TransportGate
from portico.testing.clock import FrozenClock


def test_pauses_grow_and_never_beyond_half_a_minute() -> None:
    clock = FrozenClock()
    gate = TransportGate(clock)
    pauses = []
    for _ in range(8):
        pauses.append(gate.shut().total_seconds())
        clock.advance(timedelta(seconds=pauses[-1]))
    gate.open()

    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert gate.shut() == timedelta(seconds=1)


def test_messages_that_meet_the_same_fault_side_by_side_count_as_one() -> None:
    gate = TransportGate(FrozenClock())

    assert [gate.shut().total_seconds() for _ in range(4)] == [1, 1, 1, 1]


def test_pause_does_not_listen_to_the_wall_clock() -> None:
    clock = FrozenClock()
    gate = TransportGate(clock)
    gate.shut()

    clock.jump(timedelta(days=365))

    assert gate.shut() == timedelta(seconds=1)
