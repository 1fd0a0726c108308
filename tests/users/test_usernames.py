"""Who may call himself what."""

import pytest

from portico.users.errors import UsernameMalformed
from portico.users.lookalikes import LOOKS_LIKE
from portico.users.usernames import is_reserved, parse_username, same_spelling, skeleton

REFUSED = {
    "too short": "ab",
    "too long": "a" * 33,
    "at": "ada@example",
    "space": "ada lovelace",
    "slash": "ada/b",
    "line feed": "ada\n",
    "NUL": "ada\x00",
    "lone surrogate": "ada\ud800",
    "zero-width space": "ad\u200ba",
    "zero-width joiner": "ad\u200da",
    "right-to-left override": "ada\u202e",
    "full-width letters": "\uff41dmin",
    "ligature": "\ufb01nn",
    "mathematical letters": "\U0001d41ada",
    "emoji": "ada\U0001f600",
    "Cyrillic a in Latin": "\u0430dmin",
    "Greek o in Latin": "b\u03bfb",
    "leading dot": ".ada",
    "trailing hyphen": "ada-",
    "two separators": "ada._b",
    "Arabic digits": "ada\u0661",
    "only marks": "\u0301\u0301\u0301",
}


@pytest.mark.bar("CVE-2021-3424")
@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_parse_username_refuses(text: str) -> None:
    with pytest.raises(UsernameMalformed):
        parse_username(text)


@pytest.mark.parametrize(
    "text",
    [
        "ada",
        "a" * 32,
        "Ada.Lovelace",
        "a_d-a.1",
        "josé",
        "вова",
        "αλέξης",
        "山田太郎",
        "たろう山田",
        "김철수",
    ],
)
def test_parse_username_takes(text: str) -> None:
    assert parse_username(text).text == text


def test_capitals_beyond_latin_become_small() -> None:
    assert parse_username("\u0412\u041e\u0412\u0410").text == "\u0432\u043e\u0432\u0430"


ALIKE = [
    ("paypal", "\u0440\u0430\u0443\u0440\u0430l"),
    ("alice", "AIice"),
    ("alice", "a1ice"),
    ("bob", "b0b"),
    ("modern", "rnodern"),
    ("jose", "José"),
    ("scope", "ѕсоре"),
    ("boba", "\u0432\u043e\u0432\u0430"),
    ("caesar", "cæsar"),
    ("ADA", "ada"),
    ("wow", "vvovv"),
]


@pytest.mark.bar("CVE-2021-3424")
@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_look_alikes_have_one_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"), [("ada", "adam"), ("a.b.c", "a-b-c"), ("anna", "hanna"), ("nick", "dick")]
)
def test_different_names_have_different_skeletons(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


def test_skeleton_of_every_listed_letter_is_ascii() -> None:
    for letter in LOOKS_LIKE:
        assert skeleton(letter).isascii(), letter


def test_skeleton_is_idempotent() -> None:
    for _, name in ALIKE:
        assert skeleton(skeleton(name)) == skeleton(name)


@pytest.mark.parametrize(
    "name", ["admin", "Admin", "adm1n", "ad-min", "r00t", "supp0rt", "P0rtico", "adrnin"]
)
def test_names_of_the_deployment_are_reserved(name: str) -> None:
    assert is_reserved(parse_username(name))


def test_reserved_names_can_be_added() -> None:
    assert is_reserved(parse_username("acme"), frozenset({"ACME"}))
    assert not is_reserved(parse_username("acme"))


def test_signing_in_takes_the_very_name() -> None:
    assert same_spelling("ADA", "ada")
    assert not same_spelling("b0b", "bob")
