"""User codes and the pace of a device's questions (RFC 8628)."""

from collections import Counter
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, strategies as st

from portico.oauth.protocol.rfc8628_device import (
    ALPHABET,
    SLOWEST,
    judge_pace,
    new_user_code,
    read_user_code,
    shown_user_code,
)


class Dice:
    """Chance that is the same each time."""

    def __init__(self) -> None:
        self.random = Random(8628)

    def bytes(self, size: int) -> bytes:
        return self.random.randbytes(size)


@pytest.mark.bar("A16-16.1")
def test_code_is_drawn_evenly_from_twenty_letters() -> None:
    dice = Dice()

    letters = Counter(letter for _ in range(2_500) for letter in new_user_code(dice))

    assert set(letters) == set(ALPHABET)
    assert len(set(ALPHABET)) == 20
    assert not set(ALPHABET) & set("AEIOU0123456789")
    assert max(letters.values()) / min(letters.values()) < 1.25


@given(st.text(alphabet=ALPHABET, min_size=8, max_size=8), st.randoms())
def test_code_is_read_in_any_case_and_with_any_gaps(code: str, random: Random) -> None:
    typed = "".join(
        random.choice([letter, letter.lower()]) + random.choice(["", "-", " ", "\u2013"]) for letter in code
    )

    assert read_user_code(typed) == code
    assert read_user_code(shown_user_code(code)) == code


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "WDJB-MJH",
        "WDJB-MJHTX",
        "WDJB-MJHA",
        "WDJB-MJH1",
        "ＷDJBMJHT",
        "W" * 10_000,
        "ßßßßWDJB",
        "WDJB_MJH\x00",
    ],
)
def test_other_text_is_no_code(typed: str) -> None:
    assert read_user_code(typed) is None


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


@pytest.mark.bar("A16-16.1")
@pytest.mark.parametrize(
    ("since", "interval", "fast", "then"),
    [
        (None, 5, False, 5),
        (5, 5, False, 5),
        (4.2, 5, False, 5),
        (3.9, 5, True, 10),
        (0, 10, True, 15),
        (60, 10, False, 10),
    ],
)
def test_who_asks_too_early_waits_five_seconds_longer(
    since: float | None, interval: float, fast: bool, then: float
) -> None:
    pace = judge_pace(None if since is None else seconds(since), seconds(interval))

    assert (fast, seconds(then)) == (pace.is_too_fast, pace.interval)


def test_waiting_has_an_end() -> None:
    assert judge_pace(seconds(0), SLOWEST).interval == SLOWEST
