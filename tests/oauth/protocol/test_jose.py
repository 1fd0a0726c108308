"""Tokens that others signed: the algorithms, the choice of the key, and the times. Forgeries have their own file."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from portico.core.crypto import b64decode, b64encode
from portico.oauth.protocol.jose import (
    ASYMMETRIC,
    Fault,
    Policy,
    Rejected,
    SharedSecrets,
    TimeRules,
    Times,
    check_times,
    open_token,
    parse_jwk,
    peek_claims,
    read_json,
    sign,
    sign_with_secret,
    verify,
    verify_embedded,
)
from tests.oauth.protocol.foreign_keys import ec_key, ed_key, key_for, parsed, public, rsa_key

NOW = 1_767_614_400.0
ANY = Policy(algorithms=ASYMMETRIC, types=frozenset({"", "jwt"}))
MACS = Policy(algorithms=frozenset({"HS256", "HS384", "HS512"}), types=frozenset({"", "jwt"}))
RFC7515_CLAIMS = {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}
RFC7515_PAYLOAD = (
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)


def fault_of(token: str, keys: Any, policy: Policy = ANY) -> Fault:
    with pytest.raises(Rejected) as caught:
        verify(token, keys, policy)
    return caught.value.fault


@pytest.mark.parametrize("algorithm", sorted(ASYMMETRIC))
def test_every_algorithm_signs_and_verifies(algorithm: str) -> None:
    key = key_for(algorithm)

    verified = verify(sign({"a": 1}, key, algorithm), [parsed(key)], ANY)

    assert (verified.algorithm, verified.claims) == (algorithm, {"a": 1})


def test_the_es256_example_of_rfc_7515_verifies() -> None:
    """RFC 7515, appendix A.3."""
    key = parse_jwk(
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }
    )
    signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

    verified = verify(f"eyJhbGciOiJFUzI1NiJ9.{RFC7515_PAYLOAD}.{signature}", [key], ANY)

    assert verified.claims == RFC7515_CLAIMS


def test_the_hs256_example_of_rfc_7515_verifies() -> None:
    """RFC 7515, appendix A.1."""
    secret = b64decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    )
    token = f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{RFC7515_PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    verified = verify(token, SharedSecrets((b"another secret of thirty-two bytes", secret)), MACS)

    assert verified.claims == RFC7515_CLAIMS


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_shared_secret_is_as_long_as_the_hash(algorithm: str) -> None:
    """RFC 7518, section 3.2."""
    size = int(algorithm[2:]) // 8
    long_enough, short = b"s" * size, b"s" * (size - 1)

    verify(sign_with_secret({}, long_enough, algorithm), SharedSecrets((long_enough,)), MACS)
    assert fault_of(sign_with_secret({}, short, algorithm), SharedSecrets((short,)), MACS) is Fault.SIGNATURE


def test_shared_secrets_do_not_show_themselves() -> None:
    assert "hush" not in repr(SharedSecrets((b"hush",)))


class TestKeyChoice:
    def test_kid_names_the_key(self) -> None:
        keys = [parsed(ec_key("other"), kid="a"), parsed(ec_key(), kid="b")]

        verify(sign({}, ec_key(), "ES256", header={"kid": "b"}), keys, ANY)

    def test_no_other_key_is_tried_for_a_kid(self) -> None:
        keys = [parsed(ec_key("other"), kid="a"), parsed(ec_key(), kid="b")]

        assert fault_of(sign({}, ec_key(), "ES256", header={"kid": "a"}), keys) is Fault.SIGNATURE
        assert fault_of(sign({}, ec_key(), "ES256", header={"kid": "c"}), keys) is Fault.UNKNOWN_KEY

    @pytest.mark.parametrize("kid", ["../../dev/null", "' OR 1=1 --", "http://evil.example/jwks", "A"])
    def test_kid_is_compared_and_nothing_else(self, kid: str) -> None:
        """ASVS 5.0 V9.1.3."""
        token = sign({}, ec_key(), "ES256", header={"kid": kid})

        assert fault_of(token, [parsed(ec_key(), kid="a")]) is Fault.UNKNOWN_KEY

    def test_a_key_without_a_name_goes_by_its_thumbprint(self) -> None:
        key = parsed(ec_key())

        verify(sign({}, ec_key(), "ES256", header={"kid": key.thumbprint}), [key], ANY)

    def test_a_name_that_two_fitting_keys_have_names_none(self) -> None:
        keys = [parsed(ec_key(), kid="a"), parsed(ec_key("other"), kid="a")]

        assert fault_of(sign({}, ec_key(), "ES256", header={"kid": "a"}), keys) is Fault.UNKNOWN_KEY

    def test_keys_of_two_families_may_share_a_name(self) -> None:
        """RFC 7517, section 4.5."""
        keys = [parsed(rsa_key(), kid="a"), parsed(ec_key(), kid="a")]

        verify(sign({}, ec_key(), "ES256", header={"kid": "a"}), keys, ANY)

    def test_without_kid_four_fitting_keys_are_tried(self) -> None:
        others = [parsed(ec_key(f"other {index}")) for index in range(4)]
        token = sign({}, ec_key(), "ES256")

        verify(token, [parsed(rsa_key()), *others[:3], parsed(ec_key())], ANY)
        assert fault_of(token, [*others, parsed(ec_key())]) is Fault.UNKNOWN_KEY

    def test_without_a_fitting_key_there_is_none(self) -> None:
        assert (
            fault_of(sign({}, ec_key(), "ES256"), [parsed(rsa_key()), parsed(ed_key())]) is Fault.UNKNOWN_KEY
        )
        assert fault_of(sign({}, ec_key(), "ES256"), []) is Fault.UNKNOWN_KEY


def test_an_algorithm_off_the_list_is_rejected_even_if_the_key_takes_it() -> None:
    """RFC 8725, section 3.1."""
    policy = Policy(algorithms=frozenset({"PS256"}), types=frozenset({""}))

    assert fault_of(sign({}, rsa_key(), "RS256"), [parsed(rsa_key())], policy) is Fault.ALGORITHM
    verify(sign({}, rsa_key(), "PS256"), [parsed(rsa_key())], policy)


@pytest.mark.parametrize(("listed", "used"), [("EdDSA", "Ed25519"), ("Ed25519", "EdDSA")])
def test_an_algorithm_may_be_listed_by_its_other_name(listed: str, used: str) -> None:
    """RFC 9864: a client that registered `EdDSA` may have a library that writes `Ed25519`."""
    policy = Policy(algorithms=frozenset({listed}), types=frozenset({""}))

    verify(sign({}, ed_key(), used), [parsed(ed_key())], policy)


class TestTyp:
    @pytest.mark.parametrize("typ", ["x+jwt", "X+JWT", "application/x+jwt", "Application/X+Jwt"])
    def test_it_is_compared_as_a_media_type(self, typ: str) -> None:
        """RFC 7515, section 4.1.9."""
        policy = Policy(algorithms=ASYMMETRIC, types=frozenset({"x+jwt"}))

        verify(sign({}, ec_key(), "ES256", header={"typ": typ}), [parsed(ec_key())], policy)

    @pytest.mark.parametrize("typ", ["", "jwt", "x+jwt ", "text/x+jwt", "x", None, 7, ["x+jwt"]])
    def test_another_one_is_rejected(self, typ: object) -> None:
        policy = Policy(algorithms=ASYMMETRIC, types=frozenset({"x+jwt"}))

        assert (
            fault_of(sign({}, ec_key(), "ES256", header={"typ": typ}), [parsed(ec_key())], policy)
            is Fault.TYPE
        )

    def test_it_may_be_missing_only_where_the_policy_says_so(self) -> None:
        policy = Policy(algorithms=ASYMMETRIC, types=frozenset({"x+jwt"}))
        token = sign({}, ec_key(), "ES256")

        assert fault_of(token, [parsed(ec_key())], policy) is Fault.TYPE
        verify(token, [parsed(ec_key())], ANY)


def test_an_unknown_header_is_ignored() -> None:
    """RFC 7515, section 4."""
    token = sign({}, ec_key(), "ES256", header={"tx_id": 1, "x5t": "AAAA", "cty": "x"})

    verify(token, [parsed(ec_key())], ANY)


class TestEmbeddedKey:
    def test_the_key_in_the_header_verifies_and_is_returned(self) -> None:
        token = sign({}, ec_key(), "ES256", header={"jwk": public(ec_key())})

        _, key = verify_embedded(token, ANY)

        assert key == parsed(ec_key())

    @pytest.mark.parametrize(
        ("header", "fault"),
        [
            ({}, Fault.KEY),
            ({"jwk": ec_key()}, Fault.KEY),
            ({"jwk": {"kty": "oct", "k": "AAAA"}}, Fault.KEY),
            ({"jwk": public(ec_key("other"))}, Fault.SIGNATURE),
            ({"jwk": public(rsa_key())}, Fault.ALGORITHM),
            ({"jwk": public(ec_key(), alg="ES384")}, Fault.ALGORITHM),
            ({"jwk": public(ec_key()), "x5c": ["MII"]}, Fault.HEADER),
            ({"jwk": public(ec_key()), "jku": "https://evil.example"}, Fault.HEADER),
        ],
    )
    def test_another_key_is_not(self, header: dict[str, Any], fault: Fault) -> None:
        with pytest.raises(Rejected) as caught:
            verify_embedded(sign({}, ec_key(), "ES256", header=header), ANY)

        assert caught.value.fault is fault


class TestStrictJson:
    @pytest.mark.parametrize(
        "text",
        [
            b'{"a":1,"a":2}',
            b'{"b":{"a":1,"a":1}}',
            b"NaN",
            b"-Infinity",
            b"1e999",
            b'"\\ud800"',
            b'{"\\udfff":1}',
            b'"\\u0000"',
            b'"\xff"',
            b"\xef\xbb\xbf{}",
            "{}".encode("utf-16"),
            b"{} {}",
            b"[" * 17 + b"]" * 17,
            b"[" * 100_000,
            b"1" * 5000,
        ],
    )
    def test_what_two_readers_may_read_in_two_ways_is_rejected(self, text: bytes) -> None:
        with pytest.raises(Rejected):
            read_json(text)

    @given(
        st.recursive(
            st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(exclude_characters="\0\\")),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
            max_leaves=6,
        )
    )
    def test_what_is_written_is_read_again(self, value: Any) -> None:
        assert read_json(json.dumps(value).encode()) == value


class TestTimes:
    @pytest.mark.parametrize("exp", [NOW - 9.5, NOW, NOW + 1, NOW + 10**6, int(NOW) + 5])
    def test_a_token_is_good_until_its_end_and_a_little_longer(self, exp: float) -> None:
        assert check_times({"exp": exp}, TimeRules(now=NOW)) == Times(exp, None, None)

    @pytest.mark.parametrize("exp", [NOW - 10, NOW - 300, 1])
    def test_and_then_it_is_over(self, exp: float) -> None:
        with pytest.raises(Rejected, match="expired"):
            check_times({"exp": exp}, TimeRules(now=NOW))

    @pytest.mark.parametrize("name", ["nbf", "iat"])
    @pytest.mark.parametrize("ahead", [0, 8, 10])
    def test_a_clock_that_is_ten_seconds_ahead_is_accepted(self, name: str, ahead: float) -> None:
        """FAPI 2.0 Security Profile, section 5.3.2.1."""
        check_times({"exp": NOW + 60, name: NOW + ahead}, TimeRules(now=NOW))

    @pytest.mark.parametrize("name", ["nbf", "iat"])
    @pytest.mark.parametrize("ahead", [60.5, 61, 3600])
    def test_a_clock_that_is_more_than_sixty_seconds_ahead_is_not(self, name: str, ahead: float) -> None:
        """FAPI 2.0 Security Profile, section 5.3.2.1."""
        with pytest.raises(Rejected, match="not_yet"):
            check_times({"exp": NOW + 7200, name: NOW + ahead}, TimeRules(now=NOW))

    @pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
    @pytest.mark.parametrize(
        "value", [None, "1767614500", True, [], {}, -1, 0, math.inf, math.nan, 10**12, 10**400, NOW * 1000]
    )
    def test_a_time_is_a_number_of_seconds(self, name: str, value: object) -> None:
        with pytest.raises(Rejected, match="claims"):
            check_times({"exp": NOW + 60, name: value}, TimeRules(now=NOW))

    def test_what_is_required_must_be_there(self) -> None:
        with pytest.raises(Rejected, match="no exp, nbf"):
            check_times({"iat": NOW}, TimeRules(now=NOW, required=frozenset({"exp", "nbf"})))

    def test_nothing_is_required_that_is_not_named(self) -> None:
        assert check_times({}, TimeRules(now=NOW, required=frozenset())) == Times(None, None, None)

    @pytest.mark.parametrize(
        ("claims", "limits"),
        [
            ({"exp": NOW + 101}, {"max_remaining": 100.0}),
            ({"exp": NOW + 51, "nbf": NOW - 50}, {"max_span": 100.0}),
            ({"exp": NOW + 1, "nbf": NOW - 101}, {"max_age": 100.0}),
        ],
    )
    def test_it_must_not_be_good_for_too_long(
        self, claims: dict[str, float], limits: dict[str, float]
    ) -> None:
        check_times(claims, TimeRules(now=NOW))
        within = {name: limit + 1 for name, limit in limits.items()}
        check_times(claims, TimeRules(now=NOW, **within))  # type: ignore[arg-type]

        with pytest.raises(Rejected, match="lifetime"):
            check_times(claims, TimeRules(now=NOW, **limits))  # type: ignore[arg-type]


def test_a_peek_reads_claims_of_anybody() -> None:
    header, _, signature = sign({}, ec_key(), "ES256").split(".")

    assert peek_claims(f"{header}.{b64encode(b'{"sub":"x"}')}.{signature}") == {"sub": "x"}


@given(
    st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{1,20}(\.[A-Za-z0-9_-]{1,20}){1,3}", fullmatch=True)
)
def test_any_text_is_opened_or_rejected(text: str) -> None:
    try:
        opened = open_token(text)
    except Rejected:
        return
    assert f"{opened.signing_input.decode()}.{b64encode(opened.signature)}" == text


@given(
    st.dictionaries(
        st.sampled_from(["alg", "typ", "kid", "jwk", "crit", "x5c"]), st.none() | st.integers() | st.text()
    )
)
def test_any_header_is_verified_or_rejected(header: dict[str, Any]) -> None:
    text = f"{b64encode(json.dumps(header).encode())}.e30.AAAA"

    assert fault_of(text, [parsed(ec_key())])
    with pytest.raises(Rejected):
        verify_embedded(text, ANY)
