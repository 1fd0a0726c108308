"""`authorization_details`: only what is declared, never more than was granted (RFC 9396)."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc9396_authorization_details import (
    COMMON_FIELDS,
    Detail,
    DetailsField,
    DetailsType,
    FieldKind,
    covers,
    narrow_details,
    read_details,
    shown_details,
)

WRONG: list[dict[str, Any]] = [
    {"actions": []},
    {"actions": "initiate"},
    {"actions": ["initiate", "steal"]},
    {"actions": [1]},
    {"actions": {"initiate": 1}},
    {"unknown": 1},
    {"cents": "100"},
    {"cents": 1.5},
    {"cents": True},
    {"cents": 2**60},
    {"cents": None},
    {"instant": 1},
    {"locations": ["nowhere"]},
    {"locations": ["javascript:alert(1)"]},
]
TYPES = {
    "payment": DetailsType(
        name="payment",
        title="Pay an invoice",
        fields={
            "actions": DetailsField(
                kind=FieldKind.TEXTS,
                allowed=frozenset({"initiate", "cancel"}),
                is_required=True,
                label="What",
            ),
            "cents": DetailsField(kind=FieldKind.INTEGER, label="Cents"),
            "instant": DetailsField(kind=FieldKind.FLAG),
            "locations": COMMON_FIELDS["locations"],
        },
    ),
    "other": DetailsType(name="other", title="Other"),
}
PAYMENT: Detail = {"type": "payment", "actions": ["initiate", "cancel"], "cents": 100}


def read(*details: Any) -> tuple[Detail, ...]:
    return read_details(json.dumps(details), TYPES)


@pytest.mark.bar("A20-20.1")
def test_declared_details_are_read_and_shown() -> None:
    (detail,) = read({**PAYMENT, "locations": ["https://api.example/pay"]})

    assert shown_details(detail, TYPES) == (
        "Pay an invoice",
        [("What", "initiate, cancel"), ("Cents", "100"), ("At", "https://api.example/pay")],
    )


@pytest.mark.bar("A20-20.1", "CHECK-20")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        "[1]",
        "[{}]",
        '[{"type": 1}]',
        '[{"type": "unknown"}]',
        '[{"type": "payment"}]',
        *(json.dumps([{**PAYMENT, **change}]) for change in WRONG),
        json.dumps([PAYMENT] * 21),
        json.dumps([{**PAYMENT, "x": "y" * 8_200}]),
        "[" * 5_000 + "]" * 5_000,
        '[{"type": "payment", "type": "other", "actions": ["initiate"]}]',
    ],
    ids=range(27),
)
def test_anything_that_is_not_declared_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        read_details(text, TYPES)

    assert refused.value.error is ErrorCode.INVALID_AUTHORIZATION_DETAILS


@pytest.mark.bar("A20-20.1")
def test_client_that_registered_types_gets_no_other() -> None:
    with pytest.raises(Refused):
        read_details('[{"type": "other"}]', TYPES, allowed=["payment"])
    assert read_details('[{"type": "other"}]', TYPES, allowed=[]) == ({"type": "other"},)


@pytest.mark.bar("A20-20.1")
def test_details_are_narrowed() -> None:
    less = {**PAYMENT, "actions": ["cancel"]}

    assert narrow_details([], [PAYMENT]) == (PAYMENT,)
    assert narrow_details([less], [PAYMENT]) == (less,)
    assert covers([PAYMENT], [less, PAYMENT])


@pytest.mark.bar("A20-20.1")
@pytest.mark.parametrize(
    "more",
    [
        {**PAYMENT, "actions": ["initiate", "cancel", "steal"]},
        {**PAYMENT, "cents": 101},
        {**PAYMENT, "cents": True},
        {**PAYMENT, "cents": 100.0},
        {"type": "payment", "actions": ["cancel"]},
        {**PAYMENT, "instant": True},
        {"type": "other"},
    ],
    ids=str,
)
def test_details_are_never_widened(more: Detail) -> None:
    """A field left out would lift a limit; a field added could mean anything."""
    assert not covers([PAYMENT], [more])
    with pytest.raises(Refused):
        narrow_details([PAYMENT, more], [PAYMENT])


ACTIONS = st.lists(st.sampled_from(["initiate", "cancel"]), min_size=1, unique=True)
PAYMENTS = st.builds(
    lambda actions, cents: {"type": "payment", "actions": actions, "cents": cents}, ACTIONS, st.integers(0, 3)
)


@given(st.lists(PAYMENTS, max_size=3), st.lists(PAYMENTS, max_size=3))
def test_narrowing_twice_never_gives_more_than_once(granted: list[Detail], asked: list[Detail]) -> None:
    if not covers(granted, asked):
        return
    narrowed = narrow_details(asked, granted)
    assert covers(granted, narrowed)
    for each in narrowed:
        assert any(
            set(each["actions"]) <= set(whole["actions"]) and each["cents"] == whole["cents"]
            for whole in granted
        )
