"""What was refused, in the reader's language."""

from collections.abc import Callable

import pytest

from portico.core.errors import Conflict, FieldFault, Invalid, PorticoError
from portico.credentials.policy import PasswordPolicy
from portico.runtime import Runtime
from portico.users.addresses import parse_address
from portico.users.names import parse_full_name
from portico.users.usernames import parse_username
from portico.web.translations import translations
from portico.web.wording import explain, explain_fault

GERMAN = translations().translator("de")
ENGLISH = translations().translator("en")


def refusal_of(act: Callable[[], object]) -> PorticoError:
    with pytest.raises(PorticoError) as refused:
        act()
    return refused.value


ADDRESSES = [
    "",
    "ada",
    "ada@@x.de",
    "a b@x.de",
    "@x.de",
    "ada@x",
    "ada@-x.de",
    "a..b@x.de",
    "aдa@x.de",
    "ada@x.de" * 50,
]
USERNAMES = ["a", "-ada", "a__b", "ada!", "aдa"]
NAMES = ["a" * 201, "\x07", "a\u202eb"]


@pytest.mark.parametrize(
    "act",
    [
        *(lambda text=text: parse_address(text) for text in ADDRESSES),
        *(lambda text=text: parse_username(text) for text in USERNAMES),
        *(lambda text=text: parse_full_name(text) for text in NAMES),
    ],
    ids=[*map(repr, [text[:12] for text in [*ADDRESSES, *USERNAMES, *NAMES]])],
)
def test_every_refusal_of_a_field_speaks_german(act: Callable[[], object]) -> None:
    refusal = refusal_of(act)

    for fault in refusal.errors:
        said = explain_fault(fault, GERMAN)
        assert said != fault.message
        assert said != GERMAN.gettext("This is not valid.")
    assert explain(refusal, GERMAN) not in {refusal.detail, refusal.title}


@pytest.mark.anyio
async def test_every_rule_for_passwords_speaks_german(runtime: Runtime) -> None:
    refusal = refusal_of(lambda: PasswordPolicy(runtime.settings).check("portico"))

    for fault in refusal.errors:
        assert explain_fault(fault, GERMAN) != GERMAN.gettext("This is not valid.")
        assert explain_fault(fault, GERMAN) != fault.message


def test_english_is_said_as_it_is() -> None:
    fault = FieldFault("x", "Whatever stands here, with 3 numbers.", "field")

    assert explain_fault(fault, ENGLISH) == fault.message
    assert explain(Conflict("Some detail"), ENGLISH) == "Some detail"


def test_a_detail_that_nobody_translated_gives_way_to_the_title() -> None:
    assert explain(Invalid("Words that no catalogue has"), GERMAN) == GERMAN.gettext(
        "Some values are not valid"
    )
    assert (
        explain_fault(FieldFault("x", "Words that no catalogue has", "f"), GERMAN) == "Das ist nicht gültig."
    )


def test_numbers_are_kept() -> None:
    fault = FieldFault("x", "Use at least 17 characters.", "password")

    assert explain_fault(fault, GERMAN) == "Benutzen Sie mindestens 17 Zeichen."
