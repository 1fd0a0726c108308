"""A one-time secret has one text, is hard to guess and easy to recognise."""

import re

import pytest
from hypothesis import given, strategies as st

from portico.core.crypto import RootSecret, digest
from portico.core.entropy import SystemEntropy
from portico.core.ids import new_id
from portico.tokens.secret_format import (
    CODE_DIGITS,
    NotASecret,
    checksum,
    code_hash,
    new_code,
    new_secret,
    plain_code,
    secret_hash,
)

SECRET = new_secret(SystemEntropy())


class CountingEntropy:
    """The system's generator, which notes how many bytes were drawn."""

    drawn = 0

    def bytes(self, size: int) -> bytes:
        self.drawn += size
        return SystemEntropy().bytes(size)


@pytest.mark.bar("ASVS-11.5.1", "ASVS-6.5.3")
def test_new_secret_holds_256_bits_of_the_given_entropy() -> None:
    entropy = CountingEntropy()
    secret = new_secret(entropy)

    assert entropy.drawn == 32
    assert re.fullmatch(r"ptk_[A-Za-z0-9_-]{49}", secret)
    assert len({new_secret(entropy) for _ in range(1000)}) == 1000


@pytest.mark.bar("ASVS-6.5.4")
def test_new_code_has_more_than_20_bits_and_every_digit_everywhere() -> None:
    codes = [new_code(SystemEntropy()) for _ in range(2000)]

    assert 10**CODE_DIGITS > 2**20
    assert all(re.fullmatch(r"[0-9]{8}", code) for code in codes)
    assert all({code[place] for code in codes} == set("0123456789") for place in range(CODE_DIGITS))


def test_secret_hash_is_sha256_of_the_text() -> None:
    assert secret_hash(SECRET) == digest(SECRET)


@pytest.mark.bar("CVE-2026-27840", "CHECK-12")
def test_secret_hash_refuses_truncated_extended_and_altered_texts() -> None:
    cut = [SECRET[:size] for size in range(len(SECRET))] + [SECRET[size:] for size in range(1, len(SECRET))]
    extended = [SECRET + tail for tail in ("A", "=", " ", "\n", "\0")] + [" " + SECRET, SECRET.upper()]
    altered = [
        SECRET[:place] + ("B" if SECRET[place] == "A" else "A") + SECRET[place + 1 :]
        for place in range(len(SECRET))
    ]
    for text in [*cut, *extended, *altered]:
        with pytest.raises(NotASecret):
            secret_hash(text)


def test_secret_hash_refuses_a_second_text_for_the_same_bytes() -> None:
    """43 characters hold 258 bits: with the two spare bits set another text would decode to the same secret."""
    body = "ptk_" + "A" * 42 + "B"
    with pytest.raises(NotASecret):
        secret_hash(body + checksum(body))


@pytest.mark.parametrize("size", [0, 16, 40, 44, 86])
def test_secret_hash_refuses_another_length_even_with_a_checksum_that_fits(size: int) -> None:
    body = "ptk_" + "A" * size
    with pytest.raises(NotASecret):
        secret_hash(body + checksum(body))


@given(st.text(max_size=80))
def test_secret_hash_refuses_any_other_text(text: str) -> None:
    with pytest.raises(NotASecret):
        secret_hash(text)


@pytest.mark.parametrize("text", ["12345678", "1234 5678", "1234-5678", " 1234\u00a05678 "])
def test_plain_code_reads_what_people_type(text: str) -> None:
    assert plain_code(text) == "12345678"


@pytest.mark.parametrize(
    "text", ["", "1234567", "123456789", "1234567a", "１２３４５６７８", "²²²²²²²²", "-1234567", "1" * 10**6]
)
def test_plain_code_refuses_what_is_no_code(text: str) -> None:
    assert plain_code(text) is None


@pytest.mark.bar("ASVS-6.6.2")
def test_code_hash_is_bound_to_its_token_and_the_root_secret() -> None:
    secret, token_id = RootSecret(b"a" * 32), new_id()
    hashes = {
        code_hash(secret, token_id, "12345678"),
        code_hash(secret, new_id(), "12345678"),
        code_hash(RootSecret(b"b" * 32), token_id, "12345678"),
    }

    assert len(hashes) == 3


@pytest.mark.bar("ASVS-11.7.2")
def test_repr_shows_the_prefix_only() -> None:
    assert repr(SECRET) == "OneTimeSecret('ptk_…')"
