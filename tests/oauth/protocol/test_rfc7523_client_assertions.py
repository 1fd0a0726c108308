from typing import Any

import pytest
from hypothesis import given, strategies as st

from portico.oauth.protocol.jose import ASYMMETRIC, HMAC, STRONG, SharedSecrets, sign, sign_with_secret
from portico.oauth.protocol.refusals import Refused, UnknownKey
from portico.oauth.protocol.rfc7523_client_assertions import (
    AuthorizationGrant,
    ClientAssertion,
    claimed_client,
    claimed_issuer,
    verify_authorization_grant,
    verify_client_assertion,
    verify_id_jag,
)
from tests.keys.forgery import constant, token
from tests.oauth.protocol.foreign_keys import ec_key, parsed, public, rsa_key

NOW = 1_767_614_400
ISSUER = "https://id.example.com"
TOKEN_ENDPOINT = "https://id.example.com/oauth/token"
PAR_ENDPOINT = "https://id.example.com/oauth/par"
CLIENT = "019b8d00-0000-7000-8000-00000000000c"
IDP = "https://idp.example.org"
MISSING = object()
SECRET = b"a secret that is long enough for all of them, sixty-four bytes..."


def claims(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**base, **changes}.items() if value is not MISSING}


def assertion(algorithm: Any = "ES256", header: Any = None, **changes: Any) -> str:
    good = {"iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "exp": NOW + 60, "iat": NOW, "jti": "j-1"}
    key = ec_key() if algorithm == "ES256" else rsa_key()
    return sign(claims(good, changes), key, algorithm, header=header)


def verified(text: str, **changes: Any) -> ClientAssertion:
    arguments = {
        "client_id": CLIENT,
        "issuer": ISSUER,
        "keys": [parsed(ec_key()), parsed(rsa_key())],
        "algorithms": ASYMMETRIC,
        "now": NOW,
    }
    return verify_client_assertion(text, **{**arguments, **changes})


def refused(text: str, **changes: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        verified(text, **changes)
    assert caught.value.error == "invalid_client"
    return caught.value


@pytest.mark.bar("A18-18.1")
class TestClientAssertion:
    def test_a_good_one_says_which_client_and_what_to_remember(self) -> None:
        """OIDF oidcc-ensure-client-assertion-with-iss-aud-succeeds."""
        good = verified(assertion())

        assert (good.client_id, good.jti, good.algorithm) == (CLIENT, "j-1", "ES256")

    def test_its_jti_is_remembered_as_long_as_it_could_be_sent_again(self) -> None:
        until = verified(assertion()).remember_until

        assert until < NOW + 120
        refused(assertion(), now=until)

    @pytest.mark.parametrize(
        "typ", ["", "JWT", "client-authentication+jwt", "application/client-authentication+jwt"]
    )
    def test_its_type_may_be_named(self, typ: str) -> None:
        verified(assertion(header={"typ": typ}))

    @pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "oauth-authz-req+jwt", "oauth-id-jag+jwt", 7])
    def test_a_token_of_another_type_is_refused(self, typ: object) -> None:
        """RFC 8725, section 3.11."""
        refused(assertion(header={"typ": typ}))

    @pytest.mark.parametrize("name", ["iss", "sub"])
    @pytest.mark.parametrize("value", [MISSING, None, "", "other", [CLIENT], 7, CLIENT.upper()])
    def test_iss_and_sub_are_the_client(self, name: str, value: object) -> None:
        """RFC 7523, section 3, points 1 and 2; OIDF ensure-client-assertion-with-no-sub-fails."""
        refused(assertion(**{name: value}))

    @pytest.mark.parametrize(
        "aud",
        [MISSING, None, "", [ISSUER], [ISSUER, "https://other.example"], TOKEN_ENDPOINT, PAR_ENDPOINT, ISSUER + "/",
         ISSUER.upper(), "https://other.example", {ISSUER: 1}, 7, True, [[ISSUER]]],
    )  # fmt: skip
    def test_aud_is_the_issuer_as_one_text(self, aud: object) -> None:
        """rfc7523bis, section 4; OIDF test-array-as-audience-fails, test-token-endpoint-url- and -par-endpoint-url-."""
        refused(assertion(aud=aud))

    @pytest.mark.parametrize(
        "aud", [ISSUER, [ISSUER], TOKEN_ENDPOINT, [TOKEN_ENDPOINT, "https://other.example"]]
    )
    def test_a_client_of_old_may_name_the_token_endpoint_and_lists(self, aud: object) -> None:
        verified(assertion(aud=aud), legacy_audiences=[TOKEN_ENDPOINT])

    @pytest.mark.parametrize(
        "aud", [PAR_ENDPOINT, ["https://other.example"], [], None, "", {TOKEN_ENDPOINT: 1}]
    )
    def test_and_nothing_else(self, aud: object) -> None:
        refused(assertion(aud=aud), legacy_audiences=[TOKEN_ENDPOINT])

    @pytest.mark.parametrize("exp", [MISSING, None, str(NOW + 60), NOW - 300, NOW - 10, NOW + 7200, True])
    def test_it_is_short_lived(self, exp: object) -> None:
        """RFC 7523, section 3, point 4; OIDF ensure-client-assertion-with-exp-is-5-minutes-in-past-fails."""
        refused(assertion(exp=exp))

    def test_nbf_8_seconds_in_the_future_is_accepted(self) -> None:
        """OIDF par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted."""
        verified(assertion(nbf=NOW + 8))

    @pytest.mark.parametrize("name", ["nbf", "iat"])
    def test_over_60_seconds_in_the_future_fails(self, name: str) -> None:
        """OIDF par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails."""
        refused(assertion(**{name: NOW + 61}))

    @pytest.mark.parametrize("jti", [MISSING, None, "", 7, "j" * 257, ["j"]])
    def test_jti_is_required(self, jti: object) -> None:
        """OpenID Connect Core 1.0, section 9."""
        refused(assertion(jti=jti))

    def test_the_algorithm_is_the_one_that_the_client_registered(self) -> None:
        verified(assertion("RS256"), algorithms=frozenset({"RS256"}))

        refused(assertion("PS256"), algorithms=frozenset({"RS256"}))

    def test_rs256_fails_in_the_fapi_profile(self) -> None:
        """OIDF ensure-signed-client-assertion-with-RS256-fails."""
        verified(assertion("PS256"), algorithms=STRONG)

        refused(assertion("RS256"), algorithms=STRONG)

    def test_a_key_that_we_do_not_know_may_be_fetched(self) -> None:
        assert isinstance(refused(assertion(header={"kid": "new"})), UnknownKey)
        assert not isinstance(refused(assertion(), now=NOW + 600), UnknownKey)

    def test_an_unsigned_one_fails(self) -> None:
        refused(token({"alg": "none"}, {"iss": CLIENT, "sub": CLIENT}, constant(b"x")))

    def test_a_shared_secret_signs_for_client_secret_jwt(self) -> None:
        text = sign_with_secret(
            {"iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "exp": NOW + 60, "jti": "j"}, SECRET, "HS256"
        )

        good = verified(text, keys=SharedSecrets((SECRET,)), algorithms=frozenset(HMAC))

        assert good.algorithm == "HS256"
        refused(
            text, keys=SharedSecrets((b"another secret of thirty-two bytes",)), algorithms=frozenset(HMAC)
        )
        refused(text, algorithms=frozenset(HMAC))
        refused(text)

    def test_the_client_is_known_before_its_keys(self) -> None:
        assert claimed_client(assertion()) == CLIENT

    @pytest.mark.parametrize(
        "text", ["", "x", "a.b.c", assertion(sub=MISSING), assertion(sub=7), assertion(sub=""), "A" * 20_000]
    )
    def test_without_a_client_it_is_refused(self, text: str) -> None:
        with pytest.raises(Refused) as caught:
            claimed_client(text)

        assert caught.value.error == "invalid_client"


@given(st.text(max_size=100))
def test_any_text_is_refused_as_an_assertion(text: str) -> None:
    refused(text)


def grant(header: Any = None, **changes: Any) -> str:
    good = {"iss": IDP, "sub": "mike", "aud": ISSUER, "exp": NOW + 60}
    return sign(claims(good, changes), ec_key("idp"), "ES256", header=header)


def id_jag(header: Any = None, **changes: Any) -> str:
    good = {
        "iss": IDP, "sub": "mike", "aud": ISSUER, "client_id": CLIENT, "jti": "j-2", "exp": NOW + 60, "iat": NOW,
        "resource": "https://mcp.example.com/", "scope": "chat.read",
    }  # fmt: skip
    typed = {"typ": "oauth-id-jag+jwt", **(header or {})}
    return sign(claims(good, changes), ec_key("idp"), "ES256", header=typed)


TRUST: dict[str, Any] = {"trusted_issuer": IDP, "issuer": ISSUER, "algorithms": STRONG, "now": NOW}


def granted(text: str) -> AuthorizationGrant:
    return verify_authorization_grant(text, keys=[parsed(ec_key("idp"))], **TRUST)


def jagged(text: str, client_id: str = CLIENT) -> AuthorizationGrant:
    return verify_id_jag(text, keys=[parsed(ec_key("idp"))], client_id=client_id, **TRUST)


def not_granted(read: Any, text: str, *arguments: Any) -> None:
    with pytest.raises(Refused) as caught:
        read(text, *arguments)
    assert caught.value.error == "invalid_grant"


class TestAuthorizationGrant:
    def test_a_good_one_names_its_issuer_and_subject(self) -> None:
        """RFC 7523, section 2.1."""
        good = granted(grant())

        assert (good.issuer, good.subject, good.jti, good.resources) == (IDP, "mike", None, ())
        assert claimed_issuer(grant()) == IDP

    @pytest.mark.parametrize("typ", ["JWT", "authorization-grant+jwt"])
    def test_its_type_may_be_named(self, typ: str) -> None:
        granted(grant(header={"typ": typ}))

    @pytest.mark.parametrize(
        "changes",
        [{"iss": "https://other.example"}, {"iss": MISSING}, {"sub": MISSING}, {"sub": ""}, {"sub": 7},
         {"aud": MISSING}, {"aud": "https://other.example"}, {"aud": [ISSUER, "https://other.example"]}, {"aud": []},
         {"aud": TOKEN_ENDPOINT}, {"exp": MISSING}, {"exp": NOW - 60}, {"exp": NOW + 86_400}, {"nbf": NOW + 90},
         {"jti": ""}, {"jti": 7}, {"jti": "j" * 257}, {"scope": ["a"]}, {"client_id": 7}, {"resource": 7},
         {"resource": ["a", 7]}],
    )  # fmt: skip
    def test_a_wrong_one_is_an_invalid_grant(self, changes: dict[str, Any]) -> None:
        """RFC 7523, sections 3 and 3.1."""
        not_granted(granted, grant(**changes))

    def test_a_list_of_us_alone_is_us(self) -> None:
        assert granted(grant(aud=[ISSUER])).subject == "mike"

    @pytest.mark.parametrize("typ", ["at+jwt", "client-authentication+jwt", "oauth-id-jag+jwt", "logout+jwt"])
    def test_a_token_of_another_type_is_refused(self, typ: str) -> None:
        not_granted(granted, grant(header={"typ": typ}))

    def test_a_key_that_we_do_not_know_may_be_fetched(self) -> None:
        with pytest.raises(UnknownKey) as caught:
            verify_authorization_grant(grant(), keys=[parsed(ec_key())], **TRUST)

        assert caught.value.error == "invalid_grant"

    def test_a_client_cannot_grant_itself(self) -> None:
        text = sign({"iss": IDP, "sub": "mike", "aud": ISSUER, "exp": NOW + 60}, ec_key(), "ES256",
                    header={"jwk": public(ec_key())})  # fmt: skip

        not_granted(granted, text)


@pytest.mark.bar("A30-30.11")
class TestIdentityAssertionGrant:
    def test_a_good_one_is_for_this_client_and_its_resources(self) -> None:
        good = jagged(id_jag())

        assert (good.subject, good.client_id, good.jti) == ("mike", CLIENT, "j-2")
        assert (good.resources, good.scope) == (("https://mcp.example.com/",), "chat.read")
        assert (
            jagged(id_jag(resource=["https://a.example", "https://b.example"])).resources[1]
            == "https://b.example"
        )

    def test_it_is_of_its_type(self) -> None:
        for typ in (None, "JWT", "authorization-grant+jwt", "at+jwt"):
            not_granted(jagged, id_jag(header={"typ": typ}))

    def test_another_client_cannot_use_it(self) -> None:
        not_granted(jagged, id_jag(), "another-client")

    @pytest.mark.parametrize(
        "changes",
        [{"client_id": MISSING}, {"jti": MISSING}, {"iat": MISSING}, {"exp": MISSING}, {"sub": MISSING},
         {"aud": [ISSUER]}, {"aud": TOKEN_ENDPOINT}, {"iss": ISSUER}],
    )  # fmt: skip
    def test_a_wrong_one_is_an_invalid_grant(self, changes: dict[str, Any]) -> None:
        not_granted(jagged, id_jag(**changes))
