"""Derived keys, sealed values and their refusals."""

import pytest
from hypothesis import given, strategies as st

from portico.core.crypto import RootSecret, SealBroken, b64decode, b64encode
from portico.core.entropy import SystemEntropy, random_digits, random_token

SECRET = RootSecret(b"0123456789abcdef0123456789abcdef")


def seal(plain: bytes, context: bytes = b"row 1") -> bytes:
    return SECRET.seal("test", plain, context=context, entropy=SystemEntropy())


def test_sealed_value_opens_to_what_was_sealed() -> None:
    assert SECRET.open("test", seal(b"hello"), context=b"row 1") == b"hello"


@pytest.mark.bar("ASVS-11.3.3", "ASVS-11.2.5")
def test_sealed_value_does_not_open_when_changed_or_moved() -> None:
    sealed = seal(b"hello")
    broken = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(len(sealed))]
    for attempt in (*broken, sealed[:-1], sealed + b"x", b"", sealed[:5]):
        with pytest.raises(SealBroken):
            SECRET.open("test", attempt, context=b"row 1")
    with pytest.raises(SealBroken):
        SECRET.open("test", sealed, context=b"row 2")
    with pytest.raises(SealBroken):
        SECRET.open("other", sealed, context=b"row 1")


@pytest.mark.bar("ASVS-11.3.4")
def test_sealing_twice_gives_two_values() -> None:
    assert len({seal(b"same") for _ in range(1000)}) == 1000


def test_keys_differ_by_purpose_and_secret_is_not_shown() -> None:
    assert SECRET.key("a") != SECRET.key("b")
    assert SECRET.key("a") == RootSecret(b"0123456789abcdef0123456789abcdef").key("a")
    assert "0123" not in repr(SECRET)


def test_short_root_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        RootSecret(b"short")


@given(st.binary(max_size=100))
def test_base64url_has_one_text_for_one_value(value: bytes) -> None:
    assert b64decode(b64encode(value)) == value


@pytest.mark.parametrize("text", ["YQ==", "YR", "Y", "Y Q", "YQ\n", "Y+", "é"])
def test_other_writings_of_base64url_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is a refusal
        b64decode(text)


@pytest.mark.bar("ASVS-7.2.3", "ASVS-11.5.1")
def test_tokens_carry_their_bits_and_digits_are_digits() -> None:
    tokens = {random_token(SystemEntropy()) for _ in range(1000)}
    digits = random_digits(SystemEntropy(), 8)

    assert len(tokens) == 1000
    assert {len(token) for token in tokens} == {43}
    assert (len(digits), digits.isdigit()) == (8, True)
