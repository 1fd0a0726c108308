"""JSON of strangers is read one way only, within bounds (RFC 8259)."""

import pytest

from portico.oauth.protocol.json_objects import NotJson, read_json, read_json_object


@pytest.mark.bar("CHECK-20", "ASVS-1.5.3")
@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}', '{"a": NaN}', '{"a": Infinity}', '{"a": 1e999}', "{", "", "nul", b"\xff{}", '{"a": 1} x',
        "'a'", "[" * 100_000, "[" * 3_000 + "]" * 3_000, '{"a": {"a": {"a": {"a": 1}}}}', '["' + "a" * 8_000 + '"]',
        '{"a": ' + "9" * 5_000 + "}",
    ],
)  # fmt: skip
def test_what_two_parsers_could_read_in_two_ways_is_refused(text: str | bytes) -> None:
    with pytest.raises(NotJson):
        read_json(text, most=7_000, deepest=3)


def test_json_within_bounds_is_read() -> None:
    assert read_json('{"a": [1, {"b": null}]}', most=100, deepest=3) == {"a": [1, {"b": None}]}
    with pytest.raises(NotJson):
        read_json_object("[1]", most=100)
