"""Which passwords are taken, and that every refusal says why."""

from typing import Any

import pytest

from portico.core.settings import Settings
from portico.credentials.breached import count_breached, is_breached
from portico.credentials.errors import PasswordRejected
from portico.credentials.policy import RULES, PasswordPolicy
from portico.credentials.settings import CredentialsSettings
from portico.credentials.strength import estimate, strength_of


def policy(**settings: Any) -> PasswordPolicy:
    given = Settings(credentials=settings, name="Acme Cloud").with_sections(
        {"credentials": CredentialsSettings}
    )
    return PasswordPolicy(given)


def codes(password: str, context: tuple[str, ...] = (), **settings: Any) -> set[str]:
    try:
        policy(**settings).check(password, context=context)
    except PasswordRejected as refusal:
        faults = refusal.errors
    else:
        faults = ()
    assert all(fault.message and fault.field == "password" for fault in faults)
    return {fault.code for fault in faults}


@pytest.mark.bar("ASVS-6.2.1", "N1")
def test_length_is_counted_in_characters_at_its_border() -> None:
    assert "password_too_short" in codes("xk9!qp2")
    assert "password_too_short" not in codes("xk9!qp2z")
    assert "password_too_short" in codes("\u00e4" * 3 + "\u4e2d\u6587" * 2)
    assert "password_too_short" not in codes("\u4e2d\u6587\u5bc6\u7801\u5f88\u957f\u7684\u5440")


@pytest.mark.bar("ASVS-6.2.1", "N1")
def test_strict_profile_asks_for_fifteen() -> None:
    assert "password_too_short" in codes("velvet-otter-9", profile="strict")
    assert codes("velvet-otter-97", profile="strict") == set()


@pytest.mark.bar("ASVS-6.2.9", "N1")
@pytest.mark.parametrize("length", [64, 128, 1000, 1024])
def test_long_passwords_are_taken(length: int) -> None:
    words = "velvet otter magnet lantern " * 40
    assert codes(words[:length]) == set()


@pytest.mark.bar("ASVS-6.2.4", "ASVS-6.2.12", "N3")
@pytest.mark.parametrize(
    "password", ["password", "iloveyou", "1234567890", "PASSWORD1", "Trustno1", "princess1"]
)
def test_breached_passwords_are_refused_offline(password: str) -> None:
    assert "password_breached" in codes(password, min_strength=0)


@pytest.mark.bar("ASVS-6.2.4")
def test_the_list_holds_far_more_than_the_three_thousand_commonest() -> None:
    assert count_breached() > 50_000
    assert not is_breached("velvet otter magnet lantern")


def test_the_list_is_sorted_and_without_doubles() -> None:
    from portico.credentials.breached import _list

    known = list(_list())
    assert known == sorted(set(known))


@pytest.mark.bar("ASVS-6.2.5", "N4")
@pytest.mark.parametrize(
    "password",
    ["qvxnwzjtkbrmplsyhdgc", "velvet otter magnet", "   velvet  otter   ", "пароль из многих слов"],
)
def test_no_composition_is_asked_for(password: str) -> None:
    assert codes(password) == set()


def test_composition_is_asked_for_where_it_is_switched_on() -> None:
    switched: Any = {f"require_{kind}": True for kind in ("upper", "lower", "digit", "symbol")}

    assert codes("velvetottermagnet", **switched) == {
        "password_needs_upper",
        "password_needs_digit",
        "password_needs_symbol",
    }
    assert codes("Velvet otter 97 magnet", **switched) == set()


@pytest.mark.bar("ASVS-6.1.2", "ASVS-6.2.11")
@pytest.mark.parametrize(
    ("password", "context"),
    [
        ("AcmeCloud", ()),
        ("acmecloud2026!", ()),
        ("4cmeCl0ud##", ()),
        ("portico-portico", ()),
        ("lovelace1815", ("ada.lovelace@example.com",)),
        ("ada.lovelace@example.com", ("ada.lovelace@example.com",)),
        ("grasshopper", ("x@example.com", "grasshopper")),
        ("Initech!!2026", ()),
    ],
)
def test_words_of_the_place_and_the_person_are_refused(password: str, context: tuple[str, ...]) -> None:
    assert "password_contextual" in codes(password, context, min_strength=0, context_words=("Initech",))


def test_a_word_of_the_place_inside_a_long_password_is_fine() -> None:
    assert codes("velvet otter at acme cloud") == set()


@pytest.mark.bar("N3")
def test_every_reason_is_told_at_once() -> None:
    assert codes("portico") >= {"password_too_short", "password_contextual", "password_too_weak"}


@pytest.mark.bar("ASVS-6.2.10", "N4")
def test_no_rule_asks_for_a_periodic_change() -> None:
    assert not [
        name for name in CredentialsSettings.model_fields if "age" in name.split("_") or "expir" in name
    ]
    assert len(RULES) == 8


def test_strength_without_zxcvbn_refuses_what_is_plainly_weak() -> None:
    for weak in ("aaaaaaaa", "abcdefgh", "12345678", "87654321", "acmeacme"):
        assert estimate(weak, ["acme"]) < 2
    assert estimate("velvet otter magnet") >= 3


def test_strength_of_long_input_is_quick() -> None:
    import time

    started = time.perf_counter()
    strength_of("ab1" * 341)

    assert time.perf_counter() - started < 0.2
