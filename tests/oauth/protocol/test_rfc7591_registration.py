"""What a client may say of itself, what is put right, and what is refused (RFC 7591)."""

import re
from typing import Any

import pytest
from hypothesis import given, strategies as st

from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc7591_members import READERS
from portico.oauth.protocol.rfc7591_registration import (
    AUTH_METHODS,
    GRANT_TYPES,
    ClientMetadata,
    RegistrationPolicy,
    as_document,
    metadata_of,
    read_metadata,
)

POLICY = RegistrationPolicy(
    custom_schemes=frozenset({"cursor"}),
    scopes=frozenset({"openid", "profile", "mcp:read"}),
    details_types=frozenset({"payment"}),
)
CALLBACK = "https://app.example/cb"
KEYS = {
    "keys": [
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
            "kid": "1",
        }
    ]
}
"""The key of RFC 7517, appendix A.1."""


def read(**given: Any) -> ClientMetadata:
    return read_metadata({"redirect_uris": [CALLBACK], **given}, POLICY)


def refusal(**given: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        read(**given)
    return refused.value


@pytest.mark.bar("A7-7.4")
def test_client_that_says_nothing_gets_the_defaults_of_the_specification() -> None:
    """RFC 7591, section 2: code, authorization_code, client_secret_basic."""
    metadata = read()

    assert metadata.grant_types == ("authorization_code",)
    assert metadata.response_types == ("code",)
    assert metadata.token_endpoint_auth_method == "client_secret_basic"


@pytest.mark.bar("A7-7.2")
def test_unknown_members_are_ignored() -> None:
    metadata = read(x_own={"deep": [1]}, resource="https://api.example", **{"client_name#de": 7})

    assert metadata == read()


WRONG = [
    None,
    "",
    1,
    1.5,
    True,
    [],
    {},
    [1],
    [None],
    {"keys": 1},
    "x" * 3_000,
    ["x" * 3_000],
    ["x"] * 100,
    "a\x00b",
    "\ud800",
]


@pytest.mark.bar("A7-7.3", "CHECK-20")
@pytest.mark.parametrize("name", sorted(READERS))
@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))
def test_wrong_type_is_refused_by_a_code_of_the_specification(name: str, value: Any) -> None:
    refused = None
    try:
        metadata = read(**{name: value})
    except Refused as caught:
        refused = caught
    else:
        assert metadata_of(as_document(metadata)) == metadata

    bad_redirect = name == "redirect_uris"
    code = ErrorCode.INVALID_REDIRECT_URI if bad_redirect else ErrorCode.INVALID_CLIENT_METADATA
    assert refused is None or refused.error is code
    assert refused is None or re.fullmatch(r"[ !#-\[\]-~]+", refused.description)


@pytest.mark.bar("A7-7.3")
@pytest.mark.parametrize("name", sorted(READERS))
@pytest.mark.parametrize("value", [{}, [1], [None], {"keys": 1}, 1.5, -1, [[]], "x" * 3_000])
def test_no_member_takes_a_value_that_none_of_them_has(name: str, value: Any) -> None:
    refusal(**{name: value})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from([CALLBACK, "none", "code", *GRANT_TYPES]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(READERS)) | st.text(max_size=5), JSON, max_size=8))
def test_whatever_is_sent_is_refused_or_holds_together(body: dict[str, Any]) -> None:
    """Nothing but `Refused` leaves; what is taken is written and read again as the same."""
    try:
        metadata = read_metadata(body, POLICY)
    except Refused:
        return

    assert metadata_of(as_document(metadata)) == metadata
    assert metadata.token_endpoint_auth_method in POLICY.auth_methods
    assert ("code" in metadata.response_types) == ("authorization_code" in metadata.grant_types)


@pytest.mark.bar("A7-7.4", "A30-30.10")
@pytest.mark.parametrize("method", AUTH_METHODS)
def test_offered_method_is_honoured(method: str) -> None:
    keys = {"jwks": KEYS} if method == "private_key_jwt" else {}

    assert read(token_endpoint_auth_method=method, **keys).token_endpoint_auth_method == method


@pytest.mark.bar("A7-7.4", "A30-30.10")
@pytest.mark.parametrize("method", ["client_secret_jwt", "attest_jwt_client_auth", "nonsense"])
def test_method_that_is_not_offered_is_replaced_by_one_the_client_can_use(method: str) -> None:
    assert read(token_endpoint_auth_method=method).token_endpoint_auth_method == "client_secret_basic"


@pytest.mark.bar("A30-30.10")
def test_without_secrets_the_replacement_is_none() -> None:
    policy = RegistrationPolicy(auth_methods=("none", "private_key_jwt"))

    metadata = read_metadata(
        {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "client_secret_post"}, policy
    )

    assert metadata.token_endpoint_auth_method == "none"


def test_client_that_wants_to_show_a_certificate_is_not_given_a_secret() -> None:
    assert refusal(token_endpoint_auth_method="tls_client_auth").error is ErrorCode.INVALID_CLIENT_METADATA


@pytest.mark.bar("A7-7.4", "ASVS-2.2.3")
@pytest.mark.parametrize(
    ("given", "grants", "responses"),
    [
        (
            {"grant_types": ["authorization_code", "implicit"], "response_types": ["code", "token"]},
            ("authorization_code",),
            ("code",),
        ),
        (
            {"grant_types": ["authorization_code", "refresh_token"]},
            ("authorization_code", "refresh_token"),
            ("code",),
        ),
        ({"grant_types": ["client_credentials"], "redirect_uris": []}, ("client_credentials",), ()),
        ({"grant_types": ["client_credentials"], "response_types": ["code"]}, ("client_credentials",), ()),
        ({"grant_types": None, "response_types": None}, ("authorization_code",), ("code",)),
        (
            {
                "grant_types": ["authorization_code", "client_credentials"],
                "token_endpoint_auth_method": "none",
            },
            ("authorization_code",),
            ("code",),
        ),
    ],
)
def test_grant_and_response_types_are_made_to_fit(given: dict[str, Any], grants: Any, responses: Any) -> None:
    metadata = read(**given)

    assert (grants, responses) == (metadata.grant_types, metadata.response_types)


@pytest.mark.bar("A7-7.4", "A1-1.18", "ASVS-2.2.3")
@pytest.mark.parametrize(
    "given",
    [
        {"grant_types": ["implicit"]},
        {"grant_types": ["password"]},
        {"grant_types": ["refresh_token"]},
        {"grant_types": ["client_credentials"], "token_endpoint_auth_method": "none"},
        {"response_types": ["token"]},
        {"response_types": ["id_token"], "grant_types": ["authorization_code"]},
        {"jwks": KEYS, "jwks_uri": "https://app.example/jwks"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": KEYS, "token_endpoint_auth_signing_alg": "HS256"},
        {"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}},
        {"jwks": {"keys": [{"kty": "EC", "crv": "P-256", "x": "a", "y": "b", "d": "c"}]}},
        {"id_token_signed_response_alg": "none"},
        {"id_token_signed_response_alg": "HS256"},
        {"userinfo_signed_response_alg": "none"},
        {"request_object_signing_alg": "none"},
        {"request_object_signing_alg": "HS256"},
        {"token_endpoint_auth_signing_alg": "none"},
        {"require_signed_request_object": True},
        {"subject_type": "ephemeral"},
        {"subject_type": "pairwise", "redirect_uris": [CALLBACK, "https://other.example/cb"]},
        {"frontchannel_logout_uri": "https://evil.example/logout"},
        {"frontchannel_logout_uri": "https://app.example:8443/logout"},
        {"backchannel_logout_uri": "http://app.example/logout"},
        {"backchannel_logout_uri": "https://app.example/logout#x"},
        {"post_logout_redirect_uris": ["javascript:alert(1)"]},
        {"post_logout_redirect_uris": ["https://app.example/*"]},
        {"jwks_uri": "http://app.example/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"sector_identifier_uri": "http://app.example/sector"},
        {"initiate_login_uri": "http://app.example/login"},
        {"default_max_age": -1},
        {"default_max_age": True},
        {"client_name": "Bank\u202ekcatta"},
        {"client_name": "Ba\u200bnk"},
        {"client_name": "x" * 201},
        *({name: "javascript:alert(1)"} for name in ("client_uri", "logo_uri", "policy_uri", "tos_uri")),
        *({name: "data:text/html,x"} for name in ("client_uri", "logo_uri", "policy_uri", "tos_uri")),
        {"scope": 'open"id'},
    ],
    ids=str,
)  # fmt: skip
def test_metadata_that_does_not_hold_together_is_refused(given: dict[str, Any]) -> None:
    assert refusal(**given).error is ErrorCode.INVALID_CLIENT_METADATA


@pytest.mark.bar("A7-7.3")
@pytest.mark.parametrize(
    "uris", [None, [], "https://app.example/cb", ["http://app.example/cb"], [CALLBACK, "javascript:x"]]
)
def test_bad_redirect_has_its_own_code(uris: Any) -> None:
    assert refusal(redirect_uris=uris).error is ErrorCode.INVALID_REDIRECT_URI


@pytest.mark.bar("A7-7.3")
def test_software_statement_is_ignored_and_nonsense_told() -> None:
    assert read(software_statement="a.b.c") == read()
    assert refusal(software_statement="nonsense").error is ErrorCode.INVALID_SOFTWARE_STATEMENT
    assert refusal(software_statement=7).error is ErrorCode.INVALID_SOFTWARE_STATEMENT


@pytest.mark.bar("A7-7.6")
@pytest.mark.parametrize(
    "kind", [{}, {"application_type": "native"}, {"application_type": "web"}, {"application_type": "x"}]
)
def test_loopback_registers_whatever_the_application_type(kind: dict[str, str]) -> None:
    uris = ["http://localhost:8787/callback", "https://app.example/cb"]

    assert read(redirect_uris=uris, **kind).redirect_uris == tuple(uris)


@pytest.mark.bar("A7-7.5", "CVE-2026-16102")
def test_scopes_grants_and_details_beyond_the_policy_are_left_out() -> None:
    policy = RegistrationPolicy(grant_types=frozenset({"authorization_code"}), scopes=frozenset({"openid"}))

    metadata = read_metadata(
        {
            "redirect_uris": [CALLBACK],
            "scope": "openid platform:user:delete admin",
            "grant_types": ["authorization_code", "client_credentials"],
            "authorization_details_types": ["payment"],
        },
        policy,
    )

    assert metadata.scope == ("openid",)
    assert metadata.grant_types == ("authorization_code",)
    assert metadata.authorization_details_types == ()


@pytest.mark.bar("A7-7.1")
def test_document_says_all_that_was_registered() -> None:
    said = {
        "redirect_uris": [CALLBACK],
        "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "application_type": "web",
        "scope": "openid mcp:read",
        "client_name": "App \u2603",
        "client_uri": "https://app.example",
        "logo_uri": "https://app.example/logo.png",
        "policy_uri": "https://app.example/policy",
        "tos_uri": "https://app.example/tos",
        "contacts": ["ops@app.example"],
        "jwks": KEYS,
        "software_id": "4711",
        "software_version": "1.2",
        "subject_type": "pairwise",
        "sector_identifier_uri": "https://app.example/sector",
        "id_token_signed_response_alg": "ES256",
        "userinfo_signed_response_alg": "RS256",
        "introspection_signed_response_alg": "RS256",
        "authorization_signed_response_alg": "ES256",
        "request_object_signing_alg": "PS256",
        "request_uris": ["https://app.example/request"],
        "require_signed_request_object": True,
        "require_pushed_authorization_requests": True,
        "default_max_age": 0,
        "require_auth_time": True,
        "default_acr_values": ["urn:aal2"],
        "initiate_login_uri": "https://app.example/login",
        "post_logout_redirect_uris": ["https://app.example/bye"],
        "backchannel_logout_uri": "https://app.example/back",
        "backchannel_logout_session_required": True,
        "frontchannel_logout_uri": "https://app.example/front",
        "frontchannel_logout_session_required": True,
        "dpop_bound_access_tokens": True,
        "tls_client_certificate_bound_access_tokens": True,
        "authorization_details_types": ["payment"],
        **dict.fromkeys((name for name in READERS if name.startswith("tls_client_auth_")), "x"),
    }

    document = as_document(read_metadata(said, POLICY))

    assert document == said
    assert set(said) | {"jwks_uri"} == set(READERS)
