import base64
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from portico.oauth.protocol.jose import Fault, Rejected, parse_jwk, parse_jwks, thumbprint
from tests.oauth.protocol.foreign_keys import ec_key, ed_key, parsed, public, rsa_key

RFC7638_KEY = {
    "kty": "RSA",
    "n": (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
        "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
        "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
        "kEgU8awapJzKnqDKgw"
    ),
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8))


@pytest.mark.parametrize(
    ("jwk", "expected"),
    [
        pytest.param(RFC7638_KEY, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", id="RFC 7638, section 3.1"),
        pytest.param(
            {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            id="RFC 8037, appendix A.3",
        ),
        pytest.param(
            {
                "kty": "EC",
                "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
                "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
                "crv": "P-256",
            },
            "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
            id="RFC 9449, section 6.1",
        ),
    ],
)
def test_thumbprints_are_those_of_the_specifications(jwk: dict[str, Any], expected: str) -> None:
    assert (thumbprint(jwk), parse_jwk(jwk).thumbprint) == (expected, expected)


def test_a_private_key_has_the_thumbprint_of_its_public_half() -> None:
    assert thumbprint(ec_key()) == parsed(ec_key()).thumbprint


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param({"d": "AQAB"}, id="private"),
        pytest.param({"k": "AQAB"}, id="shared"),
        pytest.param({"use": "enc"}, id="for encryption"),
        pytest.param({"use": ["sig"]}, id="use is a list"),
        pytest.param({"key_ops": ["encrypt"]}, id="may not verify"),
        pytest.param({"key_ops": "verify"}, id="key_ops is a text"),
        pytest.param({"kid": 7}, id="kid is a number"),
        pytest.param({"kid": "k" * 257}, id="kid of 257 characters"),
        pytest.param({"alg": 7}, id="alg is a number"),
        pytest.param({"kty": "oct"}, id="kty oct"),
        pytest.param({"kty": ["EC"]}, id="kty is a list"),
        pytest.param({"kty": "OKP"}, id="kty of another family"),
        pytest.param({"crv": "secp256k1"}, id="another curve"),
        pytest.param({"crv": "P-384"}, id="coordinates of another curve"),
        pytest.param({"x": b64(bytes(32))}, id="a point off the curve"),
        pytest.param({"x": b64(bytes(31))}, id="a short coordinate"),
        pytest.param({"x": b64(bytes(33))}, id="a long coordinate"),
        pytest.param({"x": 7}, id="x is a number"),
        pytest.param({"y": None}, id="no y"),
        pytest.param({"x5c": "MII"}, id="x5c is a text"),
    ],
)
def test_a_spoilt_key_is_rejected(spoil: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as caught:
        parse_jwk(public(ec_key()) | spoil)

    assert caught.value.fault is Fault.KEY


@pytest.mark.parametrize("value", [None, "x", 1, [], {}])
def test_what_is_no_key_is_rejected(value: object) -> None:
    with pytest.raises(Rejected, match="key"):
        parse_jwk(value)


def test_a_number_has_one_spelling_only() -> None:
    """Trailing bits that are not zero would give one key several thumbprints (RFC 7515, section 2)."""
    key = public(ec_key())
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = key["x"][:-1] + last[last.index(key["x"][-1]) + 1]
    assert base64.urlsafe_b64decode(other + "=") == base64.urlsafe_b64decode(key["x"] + "=")

    for x in (other, key["x"] + "=", " " + key["x"], key["x"].replace("-", "+") + "+"):
        with pytest.raises(Rejected):
            parse_jwk(key | {"x": x})


def test_a_coordinate_has_one_length_only() -> None:
    """RFC 7518, section 6.2.1.2: a leading zero more is the same point, and would be another thumbprint."""
    key = public(ec_key())
    x = base64.urlsafe_b64decode(key["x"] + "=")

    with pytest.raises(Rejected):
        parse_jwk(key | {"x": b64(b"\0" + x)})


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param({"n": number(2**1023 + 1)}, id="1024 bits"),
        pytest.param({"n": number(2**2046 + 1)}, id="2047 bits"),
        pytest.param({"n": number(2**8192 + 1)}, id="8193 bits"),
        pytest.param({"n": number(2**2047)}, id="an even modulus"),
        pytest.param({"n": b64(b"\0" + (2**2047 + 1).to_bytes(256))}, id="a leading zero"),
        pytest.param({"e": number(1)}, id="exponent 1"),
        pytest.param({"e": number(65536)}, id="an even exponent"),
        pytest.param({"e": number(2**64 + 1)}, id="a huge exponent"),
        pytest.param({"e": ""}, id="no exponent"),
    ],
)
def test_an_rsa_key_has_a_sane_size(spoil: dict[str, Any]) -> None:
    assert parse_jwk(public(rsa_key())).kty == "RSA"

    with pytest.raises(Rejected):
        parse_jwk(public(rsa_key()) | spoil)


@pytest.mark.bar("CVE-2026-48526", "CVE-2026-48523")
def test_a_key_fits_the_algorithms_of_its_family_alone() -> None:
    rsa, ec, ed = parsed(rsa_key()), parsed(ec_key()), parsed(ed_key())
    names = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519", "HS256", "none", "RSA-OAEP"]

    assert [name for name in names if rsa.fits(name)] == ["RS256", "PS256"]
    assert [name for name in names if ec.fits(name)] == ["ES256"]
    assert [name for name in names if ed.fits(name)] == ["EdDSA", "Ed25519"]


def test_a_key_that_names_its_algorithm_fits_no_other() -> None:
    """RFC 7517, section 4.4; both names of Ed25519 are one (RFC 9864)."""
    pss, ed = parsed(rsa_key(), alg="PS256"), parsed(ed_key(), alg="EdDSA")

    assert (pss.fits("PS256"), pss.fits("RS256"), ed.fits("Ed25519")) == (True, False, True)


def test_a_set_keeps_its_usable_keys() -> None:
    """RFC 7517, section 5: what we do not understand is passed over."""
    document = {
        "keys": [
            {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"},
            public(ec_key(), kid="a", use="sig"),
            public(rsa_key(), use="enc"),
            public(ed_key(), kid="b"),
            {"kty": "EC"},
        ],
        "unknown": 1,
    }

    assert [key.kid for key in parse_jwks(json.dumps(document))] == ["a", "b"]
    assert parse_jwks(document) == parse_jwks(json.dumps(document).encode())
    assert parse_jwks({"keys": []}) == ()


@pytest.mark.parametrize("member", ["d", "k", "p", "oth", "priv"])
def test_a_set_that_gives_a_secret_away_is_refused_whole(member: str) -> None:
    with pytest.raises(Rejected, match="private or shared"):
        parse_jwks({"keys": [public(ec_key()), {"kty": "new", member: "AAAA"}]})


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"[]",
        b"null",
        b'{"keys":{}}',
        b'{"keys":[1]}',
        b'{"keys":[],"keys":[]}',
        b'{"keys":[NaN]}',
        b"\xff",
        '{"keys":[]}'.encode("utf-16"),
        b'{"keys":' + b"[" * 30_000,
        b'{"keys":[' + b'{"a":' * 9_000,
        "\ud800",
        b'{"keys":[]}' + b" " * 65_536,
        {},
        {"keys": None},
        {"keys": [{"kty": "EC"}] * 33},
    ],
)
def test_what_is_no_set_is_refused(source: Any) -> None:
    with pytest.raises(Rejected) as caught:
        parse_jwks(source)

    assert caught.value.fault in {Fault.KEY, Fault.MALFORMED}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d", "kid", "use", "alg", "key_ops", "x5c"])
VALUES = JSON | st.sampled_from(["EC", "RSA", "OKP", "P-256", "Ed25519", "sig", "AQAB"])


@given(st.lists(st.dictionaries(MEMBERS, VALUES), max_size=4))
def test_any_set_is_read_or_rejected(keys: list[dict[str, Any]]) -> None:
    try:
        parsed_keys = parse_jwks({"keys": keys})
    except Rejected:
        return
    assert all(key.thumbprint for key in parsed_keys)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_rejected(source: bytes) -> None:
    with pytest.raises(Rejected):
        parse_jwks(source)
