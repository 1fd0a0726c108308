"""Waits grow, end at a limit, and are never all the same."""

from datetime import timedelta

from portico.core.entropy import SystemEntropy
from portico.messaging import Backoff

BACKOFF = Backoff(first=timedelta(seconds=30), longest=timedelta(days=1))


class FixedEntropy:
    def __init__(self, byte: int) -> None:
        self.byte = byte

    def bytes(self, size: int) -> bytes:
        return bytes([self.byte]) * size


def test_waits_double_up_to_the_longest() -> None:
    waits = [BACKOFF.after(attempts, FixedEntropy(0)) for attempts in (1, 2, 3, 12, 13, 1000)]

    assert waits == [
        timedelta(seconds=30),
        timedelta(seconds=60),
        timedelta(seconds=120),
        timedelta(seconds=61440),
        timedelta(days=1),
        timedelta(days=1),
    ]


def test_chance_shortens_by_a_fifth_at_most() -> None:
    assert BACKOFF.after(1, FixedEntropy(0xFF)) == timedelta(seconds=24)
    assert len({BACKOFF.after(5, SystemEntropy()) for _ in range(20)}) > 1
