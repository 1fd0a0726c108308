import pytest
from hypothesis import given, strategies as st

from portico.oauth.protocol.refusals import Refused
from portico.oauth.protocol.rfc7636_pkce import (
    check_verifier,
    make_challenge,
    read_challenge,
)

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""RFC 7636, appendix B."""
VERIFIERS = st.from_regex(r"[A-Za-z0-9._~-]{43,128}", fullmatch=True)


def refusal_of_challenge(challenge: str | None, method: str | None, *, is_required: bool = True) -> str:
    with pytest.raises(Refused) as caught:
        read_challenge(challenge, method, is_required=is_required)
    return caught.value.error


def refusal_of_verifier(verifier: str | None, challenge: str | None) -> str:
    with pytest.raises(Refused) as caught:
        check_verifier(verifier, challenge)
    return caught.value.error


@pytest.mark.bar("A3-3.1")
def test_the_example_of_appendix_b_matches() -> None:
    assert make_challenge(VERIFIER) == CHALLENGE
    check_verifier(VERIFIER, CHALLENGE)


@pytest.mark.bar("A3-3.1")
@given(VERIFIERS)
def test_any_verifier_opens_its_own_challenge(verifier: str) -> None:
    challenge = read_challenge(make_challenge(verifier), "S256", is_required=True)

    check_verifier(verifier, challenge)


@given(VERIFIERS, VERIFIERS)
def test_no_verifier_opens_that_of_another(one: str, other: str) -> None:
    if one != other:
        assert refusal_of_verifier(one, make_challenge(other)) == "invalid_grant"


@pytest.mark.bar("A3-3.1")
@pytest.mark.parametrize(
    "verifier",
    [
        "",
        "a" * 42,
        "a" * 129,
        "a" * 43 + "=",
        "a" * 43 + "\n",
        "ä" * 43,
        "a" * 42 + "+",
        "a b" * 20,
        "\ud800" * 43,
    ],
)
def test_a_verifier_is_43_to_128_unreserved_characters(verifier: str) -> None:
    """RFC 7636, section 4.1; a verifier of another kind is refused even if its hash is right."""
    assert refusal_of_verifier(verifier, CHALLENGE) == "invalid_grant"


@pytest.mark.bar("A3-3.1")
@pytest.mark.parametrize("verifier", ["a" * 42, "a" * 129, "a" * 43 + "="])
def test_a_short_or_long_verifier_does_not_open_its_own_challenge(verifier: str) -> None:
    assert refusal_of_verifier(verifier, make_challenge(verifier)) == "invalid_grant"


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        CHALLENGE[:-1],
        CHALLENGE + "A",
        CHALLENGE + "=",
        "a" * 128,
        CHALLENGE[:-1] + "N",
        CHALLENGE[:-1] + "+",
        " " * 43,
    ],
)
def test_a_challenge_is_the_base64url_of_32_bytes(challenge: str) -> None:
    """RFC 7636, section 4.2."""
    assert refusal_of_challenge(challenge, "S256") == "invalid_request"


@pytest.mark.bar("A1-1.7")
@pytest.mark.parametrize("method", [None, "", "plain", "s256", "S512", "S256 "])
def test_only_s256_is_accepted(method: str | None) -> None:
    """A missing method means plain (RFC 7636, section 4.3)."""
    assert refusal_of_challenge(CHALLENGE, method) == "invalid_request"
    assert refusal_of_challenge(CHALLENGE, method, is_required=False) == "invalid_request"


@pytest.mark.bar("A1-1.6")
def test_a_missing_challenge_is_an_invalid_request_where_it_is_required() -> None:
    assert refusal_of_challenge(None, None) == "invalid_request"
    assert refusal_of_challenge(None, "S256") == "invalid_request"
    assert read_challenge(None, None, is_required=False) is None


def test_a_method_without_a_challenge_is_refused_even_where_none_is_required() -> None:
    assert refusal_of_challenge(None, "S256", is_required=False) == "invalid_request"


@pytest.mark.bar("A1-1.8")
def test_a_verifier_without_a_challenge_is_refused() -> None:
    """The downgrade: the attacker drops the challenge, the client sends its verifier (RFC 9700, section 4.8.2)."""
    assert refusal_of_verifier(VERIFIER, None) == "invalid_grant"
    check_verifier(None, None)


@pytest.mark.bar("A1-1.8")
@pytest.mark.parametrize("verifier", [None, "", CHALLENGE, VERIFIER[:-1] + "l", VERIFIER.upper()])
def test_a_missing_or_wrong_verifier_is_an_invalid_grant(verifier: str | None) -> None:
    """The challenge itself, which the attacker has seen, is no verifier."""
    assert refusal_of_verifier(verifier, CHALLENGE) == "invalid_grant"
