import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from portico.oauth.protocol.jose import ASYMMETRIC, HMAC, STRONG, SharedSecrets, sign, sign_with_secret
from portico.oauth.protocol.refusals import Refused, UnknownKey
from portico.oauth.protocol.rfc9101_request_objects import (
    FAPI_MESSAGE_SIGNING,
    GENERAL,
    check_one_way,
    read_request_object,
)
from tests.keys.forgery import constant, token
from tests.oauth.protocol.foreign_keys import ec_key, parsed, rsa_key

pytestmark = pytest.mark.bar("A14-14.1")

NOW = 1_767_614_400
ISSUER = "https://id.example.com"
CLIENT = "019b8d00-0000-7000-8000-00000000000c"
MISSING = object()


def request_object(algorithm: Any = "ES256", header: Any = None, **changes: Any) -> str:
    good = {
        "iss": CLIENT, "aud": ISSUER, "exp": NOW + 300, "nbf": NOW, "iat": NOW, "jti": "j", "client_id": CLIENT,
        "response_type": "code", "redirect_uri": "https://app.example/cb", "state": "inside",
    }  # fmt: skip
    claims = {name: value for name, value in {**good, **changes}.items() if value is not MISSING}
    return sign(claims, ec_key() if algorithm == "ES256" else rsa_key(), algorithm, header=header)


def parameters(text: str, **changes: Any) -> list[tuple[str, str]]:
    arguments = {
        "client_id": CLIENT,
        "issuer": ISSUER,
        "keys": [parsed(ec_key()), parsed(rsa_key())],
        "now": NOW,
    }
    return list(read_request_object(text, **{**arguments, **changes}))


def refused(text: str, **changes: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        parameters(text, **changes)
    assert caught.value.error == "invalid_request_object"
    return caught.value


def test_only_its_parameters_are_returned_and_not_its_own_claims() -> None:
    """RFC 9101, section 6.3."""
    assert sorted(parameters(request_object())) == [
        ("client_id", CLIENT),
        ("redirect_uri", "https://app.example/cb"),
        ("response_type", "code"),
        ("state", "inside"),
    ]


@pytest.mark.parametrize("typ", ["oauth-authz-req+jwt", "JWT", "application/oauth-authz-req+jwt"])
def test_its_type_may_be_named(typ: str) -> None:
    """RFC 9101, section 10.8."""
    assert parameters(request_object(header={"typ": typ}))


@pytest.mark.parametrize("typ", ["at+jwt", "client-authentication+jwt", "dpop+jwt", "logout+jwt"])
def test_a_token_of_another_type_is_refused(typ: str) -> None:
    refused(request_object(header={"typ": typ}))


def test_an_unsigned_one_is_refused() -> None:
    """OIDF ensure-request-object-signature-algorithm-is-not-none."""
    claims = {"client_id": CLIENT, "aud": ISSUER}

    refused(token({"alg": "none"}, claims, constant(b"")))
    refused(token({"alg": "none"}, claims, constant(b"x")))


def test_one_that_another_signed_is_refused() -> None:
    """OIDF ensure-request-object-with-invalid-signature-fails, ensure-matching-key-in-authorization-request."""
    assert isinstance(refused(request_object(), keys=[parsed(ec_key("other"))]), UnknownKey)
    refused(request_object()[:-4] + "AAAA")


def test_rs256_fails_in_the_fapi_profile() -> None:
    """OIDF ensure-signed-request-object-with-RS256-fails."""
    assert parameters(request_object("PS256"), algorithms=STRONG)
    refused(request_object("RS256"), algorithms=STRONG)


def test_a_shared_secret_may_sign_where_the_client_has_one() -> None:
    secret = b"s" * 64
    text = sign_with_secret({"client_id": CLIENT, "aud": ISSUER}, secret, "HS256")

    assert parameters(text, keys=SharedSecrets((secret,)), algorithms=frozenset(HMAC))
    refused(text, algorithms=ASYMMETRIC | frozenset(HMAC))


@pytest.mark.parametrize("client_id", [MISSING, None, "other", [CLIENT], 7])
def test_the_client_inside_is_the_client_outside(client_id: object) -> None:
    """RFC 9101, sections 5 and 6.3."""
    refused(request_object(client_id=client_id))


@pytest.mark.parametrize("iss", [None, "other", ISSUER, [CLIENT]])
def test_its_issuer_is_the_client(iss: object) -> None:
    """RFC 9101, section 4."""
    refused(request_object(iss=iss))


def test_the_issuer_may_be_missing() -> None:
    """RFC 9101, section 4, says that it should be there; the key and `client_id` say the same."""
    assert parameters(request_object(iss=MISSING))


@pytest.mark.parametrize("aud", [ISSUER, [ISSUER], ["https://other.example", ISSUER]])
def test_its_audience_is_us_or_a_list_with_us(aud: object) -> None:
    """OIDF ensure-request-object-with-multiple-aud-succeeds."""
    assert parameters(request_object(aud=aud), rules=FAPI_MESSAGE_SIGNING)


@pytest.mark.parametrize(
    "aud", [MISSING, None, "https://a.example", ["https://a.example"], [], ISSUER + "/", 7]
)
def test_one_for_another_audience_is_refused(aud: object) -> None:
    """OIDF ensure-request-object-with-bad-aud-fails."""
    refused(request_object(aud=aud))
    refused(request_object(aud=aud), rules=FAPI_MESSAGE_SIGNING)


def test_a_client_assertion_is_no_request() -> None:
    """RFC 9101, section 10.8."""
    refused(request_object(sub=CLIENT))


@pytest.mark.parametrize("name", ["request", "request_uri"])
def test_a_request_inside_a_request_is_refused(name: str) -> None:
    """RFC 9101, section 4; OIDF par-authorization-request-containing-request_uri."""
    refused(request_object(**{name: "urn:x"}))


def test_a_request_comes_in_one_way() -> None:
    """RFC 9101, section 5."""
    check_one_way("x", None)
    check_one_way(None, "x")
    check_one_way(None, None)
    with pytest.raises(Refused) as caught:
        check_one_way("", "")

    assert caught.value.error == "invalid_request"


@pytest.mark.parametrize("name", ["exp", "nbf"])
def test_exp_and_nbf_are_required_by_fapi_alone(name: str) -> None:
    """OIDF ensure-request-object-without-exp-fails, -without-nbf-fails."""
    assert parameters(request_object(**{name: MISSING}))
    refused(request_object(**{name: MISSING}), rules=FAPI_MESSAGE_SIGNING)


@pytest.mark.parametrize("rules", [GENERAL, FAPI_MESSAGE_SIGNING])
def test_an_expired_one_fails(rules: Any) -> None:
    """OIDF ensure-expired-request-object-fails."""
    refused(request_object(exp=NOW - 300, nbf=NOW - 600), rules=rules)


@pytest.mark.parametrize(
    "times",
    [
        pytest.param({"exp": NOW + 4200}, id="exp-over-60"),
        pytest.param({"nbf": NOW - 3601, "exp": NOW + 60}, id="nbf-over-60"),
        pytest.param({"nbf": NOW - 3605, "exp": NOW - 5}, id="nbf-over-60 with a span of 60"),
        pytest.param({"nbf": NOW - 1800, "exp": NOW + 1801}, id="a span over 60"),
    ],
)
def test_fapi_gives_it_sixty_minutes(times: dict[str, int]) -> None:
    """OIDF ensure-request-object-with-exp-over-60-fails, -with-nbf-over-60-fails."""
    assert parameters(request_object(**times))
    refused(request_object(**times), rules=FAPI_MESSAGE_SIGNING)
    assert parameters(request_object(nbf=NOW - 3600, exp=NOW), rules=FAPI_MESSAGE_SIGNING)


def test_nbf_8_seconds_in_the_future_is_accepted() -> None:
    """OIDF ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted."""
    assert parameters(request_object(nbf=NOW + 8), rules=FAPI_MESSAGE_SIGNING)
    refused(request_object(nbf=NOW + 61))


@pytest.mark.parametrize(
    ("name", "value", "texts"),
    [
        ("max_age", 3600, ["3600"]),
        ("max_age", 0, ["0"]),
        ("state", "", [""]),
        ("flag", True, ["true"]),
        ("claims", {"id_token": {"acr": None}}, ['{"id_token":{"acr":null}}']),
        ("claims", '{"id_token":{}}', ['{"id_token":{}}']),
        ("authorization_details", [{"type": "x"}], ['[{"type":"x"}]']),
        ("resource", ["https://a.example", "https://b.example"], ["https://a.example", "https://b.example"]),
        ("resource", "https://a.example", ["https://a.example"]),
        ("resource", [], []),
    ],
)
def test_values_become_what_a_query_would_have(name: str, value: object, texts: list[str]) -> None:
    """RFC 9101, section 4."""
    found = [text for key, text in parameters(request_object(**{name: value})) if key == name]

    assert found == texts


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_age", 1.5),
        ("max_age", None),
        ("state", None),
        ("scope", ["openid"]),
        ("state", {"a": 1}),
        ("resource", [1.5]),
        ("resource", [["https://a.example"]]),
        ("claims", 1.5),
        ("x\"y\\z\n", None),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(name: str, value: object) -> None:
    refusal = refused(request_object(**{name: value}))

    assert all(" " <= character <= "~" and character not in '"\\' for character in refusal.description)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "a.b.c.d.e", "A" * 40_000])
def test_what_is_no_request_object_is_refused(text: str) -> None:
    refused(text)


NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
VALUES = st.none() | st.integers() | st.booleans() | st.text("abc") | st.lists(st.text("abc"))


@given(st.dictionaries(NAMES, VALUES))
def test_any_parameters_are_read_as_texts_or_refused(extra: dict[str, Any]) -> None:
    text = sign({**extra, "client_id": CLIENT, "aud": ISSUER}, ec_key(), "ES256")
    try:
        read = parameters(text)
    except Refused as refusal:
        json.dumps(refusal.description)
        return
    assert all(type(value) is str for _, value in read)
