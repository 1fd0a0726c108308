"""What ID tokens say (OpenID Connect Core 1.0, sections 2 and 3.1.3.6)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from portico.oauth.protocol.oidc_id_token import IdTokenFacts, half_hash, id_token_claims

NOW = 1_795_132_800


def facts(**more: Any) -> IdTokenFacts:
    return IdTokenFacts(
        issuer="https://id.example",
        subject="u1",
        client_id="c1",
        now=NOW,
        lifetime=timedelta(minutes=5),
        algorithm="RS256",
        **more,
    )


@pytest.mark.bar("A25-25.1", "A25-25.2")
def test_least_id_token_has_five_claims() -> None:
    """Without a nonce in the request there is none in the token."""
    assert id_token_claims(facts()) == {
        "iss": "https://id.example",
        "sub": "u1",
        "aud": "c1",
        "iat": NOW,
        "exp": NOW + 300,
    }


@pytest.mark.bar("A25-25.1")
def test_id_token_says_how_and_when_and_repeats_the_nonce_unchanged() -> None:
    nonce = ' "n\\\u00e4 '

    claims = id_token_claims(facts(nonce=nonce, auth_time=NOW - 5, acr="aal2", amr=("pwd", "otp"), sid="s1"))

    assert {
        "nonce": nonce,
        "auth_time": NOW - 5,
        "acr": "aal2",
        "amr": ["pwd", "otp"],
        "sid": "s1",
    }.items() <= claims.items()


@pytest.mark.bar("A25-25.1", "CVE-2026-16102")
def test_claims_about_a_person_never_replace_those_of_the_token() -> None:
    claims = id_token_claims(facts(person={"sub": "u2", "nonce": "x", "acr": "aal3", "name": "Ada"}))

    assert (claims["sub"], claims["name"]) == ("u1", "Ada")
    assert "nonce" not in claims
    assert "acr" not in claims


@pytest.mark.bar("A25-25.1")
def test_hashes_are_those_of_the_specification() -> None:
    """Core 1.0, appendix A.4 and A.3: the values of the examples there."""
    assert half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "RS256") == "77QmUPtjPfzWtF2AnpK9RQ"
    assert (
        half_hash("Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk", "RS256")
        == "LDktKdoQak3Pk0cnXxCltA"
    )


@pytest.mark.bar("A25-25.1")
@pytest.mark.parametrize(
    ("algorithm", "length"),
    [("RS256", 22), ("PS256", 22), ("ES384", 32), ("PS512", 43), ("EdDSA", 43), ("Ed25519", 43)],
)
def test_half_a_hash_is_as_long_as_its_algorithm_says(algorithm: str, length: int) -> None:
    claims = id_token_claims(facts(access_token="a", code="c"))

    assert len(half_hash("a", algorithm)) == length
    assert claims["at_hash"] != claims["c_hash"]
    with pytest.raises(ValueError, match="no hash"):
        half_hash("a", "none")


@pytest.mark.bar("A25-25.1")
@pytest.mark.parametrize("subject", ["x" * 256, "ü"])
def test_subject_is_bounded(subject: str) -> None:
    with pytest.raises(ValueError, match="255"):
        id_token_claims(replace(facts(), subject=subject))
