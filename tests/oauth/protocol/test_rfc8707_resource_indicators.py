"""`resource`: which texts are one, when two are the same, and that none is added later (RFC 8707)."""

import pytest

from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc8707_resource_indicators import (
    find_registered,
    narrow_resources,
    normal_form,
    read_resources,
)

API = "https://api.example/mcp"


@pytest.mark.bar("A6-6.4")
@pytest.mark.parametrize(
    "written",
    [API, API + "/", "HTTPS://API.Example/mcp", "https://api.example:443/mcp", "https://API.example/mcp/"],
)
def test_same_resource_in_other_clothes_is_found_as_it_was_registered(written: str) -> None:
    for registered in (API, API + "/", "https://API.example/mcp"):
        assert find_registered(written, ["https://other.example", registered]) == registered


@pytest.mark.bar("A6-6.1")
@pytest.mark.parametrize(
    "other",
    [
        "https://api.example/MCP", "https://api.example/mcp/x", "https://api.example/mcp?x=1", "http://api.example/mcp",
        "https://api.example:8443/mcp", "https://api.example.evil.example/mcp", "https://api.example/mc%70",
        "https://api.example/x/../mcp", "https://api.example/mcp//", "https://api.example",
    ],
)  # fmt: skip
def test_another_resource_is_another(other: str) -> None:
    assert find_registered(other, [API]) is None


@pytest.mark.bar("A6-6.1")
@pytest.mark.parametrize(
    "malformed",
    [
        "", "api", "/mcp", "//api.example/mcp", "api.example/mcp", "https://", "https://api.example/mcp#frag",
        "https://api.example/mcp#", "https://user@api.example/mcp", "urn:example:api", "javascript://x/", "https://api.example/ä",
        "https://api.example/a b", "https://api.example/" + "a" * 500,
    ],
)  # fmt: skip
def test_malformed_resource_is_an_invalid_target(malformed: str) -> None:
    with pytest.raises(Refused) as refused:
        normal_form(malformed)

    assert refused.value.error is ErrorCode.INVALID_TARGET


def test_resources_are_bounded_and_each_once() -> None:
    assert read_resources([API, API + "/", "https://b.example/"]) == (API, "https://b.example")
    with pytest.raises(Refused):
        read_resources([f"https://api.example/{each}" for each in range(11)])


@pytest.mark.bar("A6-6.2")
def test_token_request_narrows_and_never_widens() -> None:
    granted = [API + "/", "https://b.example"]

    assert narrow_resources([], granted) == tuple(granted)
    assert narrow_resources([API], granted) == (API + "/",)
    with pytest.raises(Refused) as refused:
        narrow_resources([API, "https://c.example"], granted)
    assert refused.value.error is ErrorCode.INVALID_TARGET
