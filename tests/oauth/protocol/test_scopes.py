"""Scopes: which texts are some, and that a huge one costs nothing (RFC 6749, section 3.3)."""

from time import perf_counter

import pytest
from hypothesis import given, strategies as st

from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.scopes import narrow_scope, read_scope, scope_text

NAMES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'), min_size=1)


@given(st.lists(NAMES, max_size=10, unique=True))
def test_what_is_written_is_read_again_in_its_order(names: list[str]) -> None:
    assert read_scope(scope_text(names)) == tuple(names)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        (" ", ()),
        ("a", ("a",)),
        ("b a b", ("b", "a")),
        (" a  b ", ("a", "b")),
        ("org:read/x*", ("org:read/x*",)),
    ],
)
def test_scope_is_read(text: str, names: tuple[str, ...]) -> None:
    assert read_scope(text) == names


@pytest.mark.parametrize(
    "text", ['a"b', "a\\b", "a\tb", "a\nb", "ä", "a\x00", "a\x7f", "a\u00a0b", "a " * 1_001]
)
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        read_scope(text)

    assert refused.value.error is ErrorCode.INVALID_SCOPE


@pytest.mark.bar("CHECK-20")
def test_megabyte_of_scopes_is_refused_at_once() -> None:
    text = "scope " * 170_000
    began = perf_counter()

    with pytest.raises(Refused):
        read_scope(text)

    assert perf_counter() - began < 0.005


@pytest.mark.bar("A1-1.16")
def test_scope_is_narrowed_and_never_widened() -> None:
    assert narrow_scope(["b"], ["a", "b"]) == ("b",)
    assert narrow_scope([], ["a", "b"]) == ("a", "b")
    with pytest.raises(Refused) as refused:
        narrow_scope(["a", "c"], ["a", "b"])
    assert refused.value.error is ErrorCode.INVALID_SCOPE
