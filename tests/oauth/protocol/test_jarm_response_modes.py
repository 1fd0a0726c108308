"""How answers of the authorization endpoint travel, and what signed ones say (JARM)."""

import pytest
from hypothesis import given, strategies as st

from portico.oauth.protocol.jarm_response_modes import MODES, read_response_mode, response_claims
from portico.oauth.protocol.refusals import Refused

pytestmark = pytest.mark.bar("A22-22.1")


@pytest.mark.parametrize(
    ("text", "carrier", "is_signed"),
    [
        (None, "query", False),
        ("query", "query", False),
        ("form_post", "form_post", False),
        ("jwt", "query", True),
        ("query.jwt", "query", True),
        ("form_post.jwt", "form_post", True),
    ],
)
def test_a_mode_says_how_and_whether_signed(text: str | None, carrier: str, is_signed: bool) -> None:
    assert read_response_mode(text) == (carrier, is_signed)


@pytest.mark.parametrize("text", ["fragment", "fragment.jwt"])
def test_fragments_are_for_other_response_types(text: str) -> None:
    with pytest.raises(Refused, match="other response types") as caught:
        read_response_mode(text)

    assert caught.value.error == "invalid_request"


@given(st.text().filter(lambda text: text not in MODES))
def test_nothing_else_is_a_mode(text: str) -> None:
    with pytest.raises(Refused):
        read_response_mode(text)


@given(st.dictionaries(st.sampled_from(["code", "state", "error", "iss", "aud", "exp"]), st.text()))
def test_claims_have_every_parameter_and_are_ours(parameters: dict[str, str]) -> None:
    claims = response_claims(parameters, issuer="https://id.example", client_id="app", now=1_000.5)

    assert claims.keys() == parameters.keys() | {"iss", "aud", "exp"}
    assert (claims["iss"], claims["aud"]) == ("https://id.example", "app")
    assert 1_000 < claims["exp"] <= 1_600
    assert all(claims[name] == parameters[name] for name in parameters.keys() - {"iss", "aud", "exp"})
