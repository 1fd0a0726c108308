"""A device's name: friendly, bounded, never an error."""

import time

import pytest
from hypothesis import given, strategies as st

from portico.sessions.devices import MAX_NAME, MAX_USER_AGENT, UNKNOWN, bounded_user_agent, device_name

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (FIREFOX, "Firefox on Linux"),
        (SAFARI, "Mobile Safari on iOS"),
        ("curl/8.5.0", "curl"),
        ("acme-sync/2.1 (build 7)", "acme-sync"),
        ("", UNKNOWN),
        (None, UNKNOWN),
        ("\x00\x1b[31m", "[31m"),
    ],
)
def test_device_name_when_browser_is_known_or_not(user_agent: str | None, expected: str) -> None:
    assert device_name(user_agent) == expected


@given(st.text(max_size=2000))
def test_device_name_whatever_the_text(user_agent: str) -> None:
    name = device_name(user_agent)

    assert 0 < len(name) <= MAX_NAME
    assert name.isprintable()
    assert len(bounded_user_agent(user_agent) or "") <= MAX_USER_AGENT


@pytest.mark.bar("ASVS-1.3.12")
def test_device_name_when_text_is_a_regex_bomb() -> None:
    device_name(FIREFOX)
    hostile = "Mozilla/5.0 (" + "a(" * 50_000 + "Android " + " " * 50_000

    started = time.perf_counter()
    device_name(hostile)

    assert time.perf_counter() - started < 0.05
