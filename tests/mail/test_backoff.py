"""Waits grow, end at a day, and are never all the same."""

from datetime import timedelta

from portico.core.entropy import SystemEntropy
from portico.mail.backoff import TransportGate, wait_after
from portico.testing.clock import FrozenClock


class FixedEntropy:
    def __init__(self, byte: int) -> None:
        self.byte = byte

    def bytes(self, size: int) -> bytes:
        return bytes([self.byte]) * size


def test_waits_double_up_to_a_day() -> None:
    waits = [wait_after(attempts, FixedEntropy(0)) for attempts in (1, 2, 3, 12, 13, 1000)]

    assert waits == [
        timedelta(seconds=30),
        timedelta(seconds=60),
        timedelta(seconds=120),
        timedelta(seconds=61440),
        timedelta(days=1),
        timedelta(days=1),
    ]


def test_chance_shortens_by_a_fifth_at_most() -> None:
    assert wait_after(1, FixedEntropy(0xFF)) == timedelta(seconds=24)
    assert len({wait_after(5, SystemEntropy()) for _ in range(20)}) > 1


def test_gate_pauses_longer_each_time_and_never_beyond_half_a_minute() -> None:
    clock = FrozenClock()
    gate = TransportGate(clock)
    pauses = []
    for _ in range(8):
        pauses.append(gate.shut().total_seconds())
        states = [gate.is_open]
        clock.advance(timedelta(seconds=pauses[-1]))
        states.append(gate.is_open)
        assert states == [False, True]
        assert gate.width == 1

    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    gate.open()
    assert gate.width > 1000


def test_gate_does_not_listen_to_the_wall_clock() -> None:
    clock = FrozenClock()
    gate = TransportGate(clock)
    gate.shut()

    clock.jump(timedelta(days=365))

    assert not gate.is_open
