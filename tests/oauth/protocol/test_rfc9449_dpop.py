import hmac
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from portico.core.crypto import b64encode
from portico.oauth.protocol.jose import STRONG, sign, sign_with_secret
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc9449_dpop import (
    Proof,
    check_key,
    check_nonce,
    is_good_nonce,
    make_nonce,
    normal_uri,
    read_dpop_jkt,
    sole_proof,
    token_hash,
    verify_proof,
)
from tests.keys.forgery import constant, token
from tests.oauth.protocol.foreign_keys import ec_key, ed_key, parsed, public, rsa_key

NOW = 1_767_614_400
URI = "https://id.example.com/oauth/token"
RFC_JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
RFC_HEADER = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
    "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
)
RFC_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
MISSING = object()


def proof(key: Any = None, algorithm: Any = "ES256", header: Any = None, **claims: object) -> str:
    """Return a proof for `URI` that is good now, with changes; MISSING takes a claim away."""
    key = key or ec_key()
    said = {"jti": "j-1", "htm": "POST", "htu": URI, "iat": NOW, **claims}
    kept = {name: value for name, value in said.items() if value is not MISSING}
    return sign(kept, key, algorithm, header={"typ": "dpop+jwt", "jwk": public(key), **(header or {})})


def verified(text: str, **changes: Any) -> Proof:
    return verify_proof(text, **{"method": "POST", "uri": URI, "now": NOW, **changes})


def refused(text: str, **changes: Any) -> ErrorCode:
    with pytest.raises(Refused) as caught:
        verified(text, **changes)
    return caught.value.error


def mac(message: bytes) -> bytes:
    return hmac.digest(b"k" * 32, message, "sha256")


@pytest.mark.bar("A15-15.1")
class TestExamplesOfTheRfc:
    def test_the_proof_for_the_token_endpoint_is_good(self) -> None:
        """RFC 9449, section 4.1 and 6.1."""
        text = (
            f"{RFC_HEADER}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUu"
            "Y29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FN"
            "yJK70nfbV37xRZT3Lg"
        )

        good = verified(text, uri="https://server.example.com/token", now=1562262616)

        assert (good.jkt, good.jti) == (RFC_JKT, "-BwC3ESc6acc2lTc")

    def test_the_proof_for_the_resource_is_good_with_its_token(self) -> None:
        """RFC 9449, section 7.1."""
        text = (
            f"{RFC_HEADER}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxl"
            "Lm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlp"
            "S0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
        )
        at_resource = {
            "method": "GET",
            "uri": "https://resource.example.org/protectedresource",
            "now": 1562262618,
        }

        assert verified(text, **at_resource, access_token=RFC_TOKEN).jkt == RFC_JKT
        assert refused(text, **at_resource, access_token=RFC_TOKEN + "x") == "invalid_dpop_proof"

    def test_the_hash_of_a_token_is_that_of_the_rfc(self) -> None:
        assert token_hash(RFC_TOKEN) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


@pytest.mark.bar("A15-15.1")
class TestProof:
    @pytest.mark.parametrize(
        ("key", "algorithm"),
        [(ec_key, "ES256"), (ed_key, "EdDSA"), (ed_key, "Ed25519"), (rsa_key, "PS256"), (rsa_key, "RS256")],
    )
    def test_a_good_one_names_its_key(self, key: Any, algorithm: str) -> None:
        good = verified(proof(key(), algorithm))

        assert (good.jkt, good.jti, good.iat, good.nonce) == (parsed(key()).thumbprint, "j-1", NOW, None)

    def test_it_is_remembered_as_long_as_it_could_be_sent_again(self) -> None:
        text = proof()
        until = verified(text).remember_until

        assert until - NOW < 120
        assert refused(text, now=until) == "invalid_dpop_proof"

    @pytest.mark.parametrize("headers", [[], ["a", "b"], ["a"] * 3])
    def test_there_is_exactly_one(self, headers: list[str]) -> None:
        """RFC 9449, section 4.3, check 1."""
        with pytest.raises(Refused) as caught:
            sole_proof(headers)

        assert caught.value.error == "invalid_dpop_proof"
        assert sole_proof(["a"]) == "a"

    def test_two_in_one_header_are_none(self) -> None:
        """Servers join repeated headers with a comma."""
        assert refused(f"{proof()}, {proof()}") == "invalid_dpop_proof"

    @pytest.mark.parametrize("claim", ["jti", "htm", "htu", "iat"])
    @pytest.mark.parametrize("value", [MISSING, None, "", [], 7.5, {}, True])
    def test_every_claim_must_be_there_and_of_its_type(self, claim: str, value: object) -> None:
        """RFC 9449, section 4.3, check 3."""
        assert refused(proof(**{claim: value})) == "invalid_dpop_proof"

    @pytest.mark.parametrize("typ", [None, "JWT", "dpop+jwt+wrong", "at+jwt", ""])
    def test_another_type_is_refused(self, typ: object) -> None:
        """RFC 9449, section 4.3, check 4."""
        assert refused(proof(header={"typ": typ})) == "invalid_dpop_proof"

    @pytest.mark.parametrize(
        "jwk",
        [
            pytest.param(ec_key(), id="with the private part"),
            pytest.param({"kty": "oct", "k": "AAAA"}, id="symmetric"),
            pytest.param({"kty": "EC"}, id="broken"),
            pytest.param(public(ec_key("other")), id="of another signer"),
            pytest.param(public(rsa_key()), id="of another kind"),
            pytest.param(None, id="missing"),
            pytest.param("https://evil.example/jwk", id="an address"),
        ],
    )
    def test_the_key_in_the_header_is_public_and_the_signer(self, jwk: object) -> None:
        """RFC 9449, section 4.3, checks 6 and 7."""
        assert refused(proof(header={"jwk": jwk})) == "invalid_dpop_proof"

    @pytest.mark.parametrize("alg", ["none", "HS256"])
    def test_the_algorithm_is_asymmetric(self, alg: str) -> None:
        """RFC 9449, section 4.3, check 5."""
        header = {"typ": "dpop+jwt", "alg": alg, "jwk": public(ec_key())}
        claims = {"jti": "j", "htm": "POST", "htu": URI, "iat": NOW}
        secret = json.dumps(public(ec_key())).encode()

        assert refused(token(header, claims, constant(b"\0" * 64))) == "invalid_dpop_proof"
        assert refused(sign_with_secret(claims, secret, "HS256", header=header)) == "invalid_dpop_proof"

    def test_an_algorithm_off_the_list_is_refused(self) -> None:
        assert refused(proof(rsa_key(), "RS256"), algorithms=STRONG) == "invalid_dpop_proof"
        verified(proof(rsa_key(), "PS256"), algorithms=STRONG)

    def test_unknown_headers_and_claims_are_ignored(self) -> None:
        verified(proof(header={"tx_id": 1, "kid": "k"}, extra={"a": 1}))

    @pytest.mark.parametrize(
        "text", ["", "x", "a.b.c", proof() + "x", "A" * 8193, proof()[:-20], proof() + "\n"]
    )
    def test_what_is_no_jwt_is_refused(self, text: str) -> None:
        """RFC 9449, section 4.3, check 2."""
        assert refused(text) == "invalid_dpop_proof"

    def test_a_large_one_is_refused(self) -> None:
        verified(proof(padding="A" * 4000))

        assert refused(proof(padding="A" * 8000)) == "invalid_dpop_proof"

    @pytest.mark.parametrize("method", ["GET", "post", "PUT", "POST "])
    def test_it_is_made_for_the_method(self, method: str) -> None:
        """RFC 9449, section 4.3, check 8."""
        assert refused(proof(htm=method)) == "invalid_dpop_proof"

    @pytest.mark.parametrize("length", [1, 256])
    def test_jti_has_up_to_256_characters(self, length: int) -> None:
        assert len(verified(proof(jti="j" * length)).jti) == length
        assert refused(proof(jti="j" * 257)) == "invalid_dpop_proof"

    @pytest.mark.parametrize("seconds", [-60, -10, 0, 10, 60, 0.5])
    def test_iat_is_of_this_minute(self, seconds: float) -> None:
        """RFC 9449, section 4.3, check 11; OIDF ensure-dpopproof-with-iat-10seconds-before and -after-succeeds."""
        assert verified(proof(iat=NOW + seconds)).iat == NOW + seconds

    @pytest.mark.parametrize("seconds", [-3600, -61, 61, 3600])
    def test_iat_of_another_time_is_refused(self, seconds: int) -> None:
        assert refused(proof(iat=NOW + seconds)) == "invalid_dpop_proof"

    def test_nbf_and_exp_are_honoured_where_they_stand(self) -> None:
        """OIDF check-dpop-proof-nbf-exp."""
        verified(proof(nbf=NOW, exp=NOW + 300))

        assert refused(proof(exp=NOW - 30)) == "invalid_dpop_proof"
        assert refused(proof(nbf=NOW + 90)) == "invalid_dpop_proof"

    @pytest.mark.parametrize("ath", [MISSING, None, "", 7, token_hash("other"), token_hash("access") + "="])
    def test_it_is_made_for_the_token(self, ath: object) -> None:
        """RFC 9449, section 4.3, check 12."""
        verified(proof(ath=token_hash("access")), access_token="access")

        assert refused(proof(ath=ath), access_token="access") == "invalid_dpop_proof"


@pytest.mark.bar("A15-15.1")
class TestAddress:
    @pytest.mark.parametrize(
        "htu",
        [
            "HTTPS://ID.EXAMPLE.COM/oauth/token",
            "https://id.example.com:443/oauth/token",
            "https://id.example.com:/oauth/token",
            "https://id.example.com/oauth/token?query#fragment",
            "https://id.example.com/oauth/token#fragment",
            "https://id.example.com/oauth/%74oken",
            "https://id.example.com/a/../oauth/./token",
            "https://id.example.com/oauth/%2e/token",
        ],
    )
    def test_it_may_be_spelled_in_other_ways(self, htu: str) -> None:
        """RFC 9449, section 4.3, check 9; RFC 3986, sections 6.2.2 and 6.2.3."""
        verified(proof(htu=htu))

    @pytest.mark.parametrize(
        "htu",
        [
            "http://id.example.com/oauth/token",
            "https://id.example.com:8443/oauth/token",
            "https://id.example.com/oauth/token/",
            "https://id.example.com/OAUTH/token",
            "https://id.example.com/oauth%2Ftoken",
            "https://id.example.com/oauth/authorize",
            "https://id.example.com.evil.example/oauth/token",
            "https://evil.example/oauth/token",
            "https://user@id.example.com/oauth/token",
            "https://id.example.com\\@evil.example/oauth/token",
            "//id.example.com/oauth/token",
            "/oauth/token",
            "https:///oauth/token",
            "https://id.example.com/oauth/tok\nen",
            "https://id.example.com/oauth/token ",
            "https://id.example.com:99999/oauth/token",
            "https://[::1/oauth/token",
            "https://id.example.com/oauth/" + "a" * 5000,
            "ftp://id.example.com/oauth/token",
            "https://ıd.example.com/oauth/token",
        ],
    )
    def test_another_one_is_refused(self, htu: str) -> None:
        assert refused(proof(htu=htu)) == "invalid_dpop_proof"

    def test_the_empty_path_is_the_root(self) -> None:
        assert normal_uri("https://a.example") == normal_uri("https://a.example/") == "https://a.example:443/"

    @given(st.text(max_size=60) | st.from_regex(r"https?://[a-z0-9.:%\[\]@/?#-]{0,40}", fullmatch=True))
    def test_any_text_has_a_normal_form_that_stays_or_none(self, text: str) -> None:
        normal = normal_uri(text)

        assert normal is None or normal_uri(normal) == normal


class TestNonce:
    def nonced(self, nonce: object) -> Proof:
        return verified(proof(nonce=nonce))

    @pytest.mark.parametrize("later", [0, 149, 299])
    def test_ours_is_good_for_its_window_and_the_next(self, later: int) -> None:
        start = NOW - NOW % 150
        nonce = make_nonce(mac, start)

        assert is_good_nonce(nonce, mac, start + later)
        assert is_good_nonce(nonce, mac, start - 1)
        assert not is_good_nonce(nonce, mac, start + 300)
        assert not is_good_nonce(nonce, mac, start - 151)

    @pytest.mark.parametrize(
        "nonce", ["", "x", "ä", "\ud800", b64encode(bytes(16)), make_nonce(mac, NOW) + "x"]
    )
    def test_another_one_is_not(self, nonce: str) -> None:
        assert not is_good_nonce(nonce, mac, NOW)

    def test_it_is_of_our_key(self) -> None:
        assert not is_good_nonce(make_nonce(lambda _: b"k" * 32, NOW), mac, NOW)
        assert len(make_nonce(mac, NOW)) == 22

    @pytest.mark.bar("A15-15.2")
    def test_where_it_is_required_its_absence_asks_for_one(self) -> None:
        """RFC 9449, sections 8 and 9."""
        check_nonce(verified(proof()), mac, NOW, is_required=False)
        check_nonce(self.nonced(make_nonce(mac, NOW)), mac, NOW, is_required=True)

        with pytest.raises(Refused) as caught:
            check_nonce(verified(proof()), mac, NOW, is_required=True)
        assert caught.value.error == "use_dpop_nonce"

    @pytest.mark.parametrize("is_required", [True, False])
    def test_a_wrong_one_is_refused_even_where_none_is_required(self, *, is_required: bool) -> None:
        """RFC 9449, section 4.3, check 10."""
        with pytest.raises(Refused) as caught:
            check_nonce(self.nonced("stale"), mac, NOW, is_required=is_required)

        assert caught.value.error == "use_dpop_nonce"

    @pytest.mark.parametrize("nonce", [7, [], {}, True])
    def test_one_that_is_no_text_is_refused(self, nonce: object) -> None:
        assert refused(proof(nonce=nonce)) == "invalid_dpop_proof"


@pytest.mark.bar("A15-15.2")
class TestBinding:
    def test_a_request_names_its_key_by_thumbprint_or_proof(self) -> None:
        """RFC 9449, sections 10 and 10.1."""
        good = verified(proof())

        assert read_dpop_jkt(None, None) is None
        assert read_dpop_jkt(good.jkt, None) == good.jkt
        assert read_dpop_jkt(None, good) == good.jkt
        assert read_dpop_jkt(good.jkt, good) == good.jkt

    def test_it_cannot_name_two(self) -> None:
        """OIDF ensure-mismatched-dpop-jkt-fails."""
        with pytest.raises(Refused) as caught:
            read_dpop_jkt(RFC_JKT, verified(proof()))

        assert caught.value.error == "invalid_dpop_proof"

    @pytest.mark.parametrize("jkt", ["", "x", "a" * 44, "a" * 42 + "=", "ä" * 43])
    def test_a_thumbprint_looks_like_one(self, jkt: str) -> None:
        with pytest.raises(Refused) as caught:
            read_dpop_jkt(jkt, None)

        assert caught.value.error == "invalid_request"

    def test_what_is_bound_comes_with_a_proof_of_its_key(self) -> None:
        good = verified(proof())

        check_key(None, None, ErrorCode.INVALID_GRANT)
        check_key(good, None, ErrorCode.INVALID_GRANT)
        check_key(good, good.jkt, ErrorCode.INVALID_GRANT)
        for wrong in (None, verified(proof(ec_key("other")))):
            with pytest.raises(Refused) as caught:
                check_key(wrong, good.jkt, ErrorCode.INVALID_GRANT)
            assert caught.value.error == "invalid_grant"
