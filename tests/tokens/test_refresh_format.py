"""A refresh token has one text; whoever changes a bit of it has nothing."""

import dataclasses
import zlib
from uuid import UUID

import pytest
from hypothesis import given, strategies as st

from portico.core.crypto import RootSecret, b64decode, b64encode
from portico.tokens.refresh_format import LENGTH, NotARefreshToken, read_refresh_token, write_refresh_token
from portico.tokens.types import Family, FamilyId, Rotation, RotationOutcome

SECRET = RootSecret(b"r" * 32)
FAMILY = UUID("019b8d00-0000-7000-8000-00000000000a")
TOKEN = write_refresh_token(SECRET, FAMILY, 7)


def resealed(raw: bytes) -> str:
    """Return the text of 53 bytes with a checksum that fits, as a forger who knows the format would."""
    return "prt_" + b64encode(raw + zlib.crc32(b"prt_" + raw).to_bytes(4, "big"))


@given(st.uuids(), st.integers(0, 2**31 - 1))
def test_read_returns_what_was_written(family: UUID, counter: int) -> None:
    token = write_refresh_token(SECRET, family, counter)
    claims = read_refresh_token(SECRET, token)

    assert (claims.family_id, claims.counter, len(token)) == (family, counter, LENGTH)


def test_write_gives_the_same_token_again() -> None:
    assert write_refresh_token(SECRET, FAMILY, 7) == TOKEN


@pytest.mark.bar("CVE-2026-27840", "CHECK-8")
def test_read_refuses_every_truncation_and_extension() -> None:
    cut = [TOKEN[:size] for size in range(len(TOKEN))] + [TOKEN[size:] for size in range(1, len(TOKEN))]
    extended = [TOKEN + tail for tail in ("A", "=", "==", ".", " ", "\n", "\0", TOKEN)]
    for text in [*cut, *extended, " " + TOKEN, "A" + TOKEN]:
        with pytest.raises(NotARefreshToken):
            read_refresh_token(SECRET, text)


@pytest.mark.bar("CHECK-8", "ASVS-9.1.1")
def test_read_refuses_every_changed_bit_even_with_a_checksum_that_fits() -> None:
    raw = b64decode(TOKEN[4:])[:-4]
    assert resealed(raw) == TOKEN
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(NotARefreshToken):
            read_refresh_token(SECRET, resealed(bytes(changed)))


def test_read_refuses_every_changed_character() -> None:
    for place in range(len(TOKEN)):
        other = "B" if TOKEN[place] == "A" else "A"
        with pytest.raises(NotARefreshToken):
            read_refresh_token(SECRET, TOKEN[:place] + other + TOKEN[place + 1 :])


@given(st.text(max_size=200) | st.text(alphabet=st.characters(codec="utf-8"), min_size=80, max_size=80))
def test_read_refuses_any_other_text(text: str) -> None:
    with pytest.raises(NotARefreshToken):
        read_refresh_token(SECRET, text)


def test_read_refuses_standard_base64_and_non_ascii_digits() -> None:
    for text in (
        TOKEN[:-1] + "+",
        TOKEN[:-1] + "/",
        TOKEN[:-1] + "=",
        TOKEN[:-1] + "１",
        TOKEN[:-1] + "\ud800",
    ):
        with pytest.raises(NotARefreshToken):
            read_refresh_token(SECRET, text)


def test_read_refuses_tokens_of_another_root_secret_or_key_version() -> None:
    facts = b"\x02" + b64decode(TOKEN[4:])[1:21]
    unknown_version = resealed(facts + SECRET.mac("tokens.refresh.v1", facts))
    for text in (write_refresh_token(RootSecret(b"s" * 32), FAMILY, 7), unknown_version):
        with pytest.raises(NotARefreshToken):
            read_refresh_token(SECRET, text)


@pytest.mark.bar("ASVS-11.7.2", "CHECK-23")
def test_repr_shows_the_prefix_only() -> None:
    fields = dict.fromkeys((field.name for field in dataclasses.fields(Family)), None)
    family = Family(**{**fields, "id": FamilyId(FAMILY)})  # type: ignore[arg-type]
    rotation = Rotation(family=family, refresh_token=TOKEN, outcome=RotationOutcome.ROTATED)

    assert repr(TOKEN) == "RefreshToken('prt_…')"
    assert TOKEN[4:] not in repr(rotation)
