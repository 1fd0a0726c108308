"""Which claims are asked for, where, and which are known (OpenID Connect Core 1.0, section 5)."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from portico.oauth.protocol.oidc_claims import (
    NOTHING,
    PersonFacts,
    claims_of,
    id_token_claims_wanted,
    read_claims_parameter,
    userinfo_claims,
)
from portico.oauth.protocol.refusals import ErrorCode, Refused

REQUEST = json.dumps(
    {
        "userinfo": {
            "name": {"essential": True},
            "nickname": None,
            "http://example.info/claims/groups": None,
        },
        "id_token": {
            "auth_time": {"essential": True},
            "acr": {"essential": True, "values": ["aal2", "aal3"]},
            "email": None,
        },
        "verified_claims": {"ignored": [1]},
    }
)
FACTS = PersonFacts(
    name="Ada Lovelace",
    email="ada@portico.example",
    email_verified=False,
    updated_at=datetime(2026, 11, 20, tzinfo=UTC),
    picture="",
)


@pytest.mark.bar("A25-25.6")
def test_parameter_is_read() -> None:
    request = read_claims_parameter(REQUEST)

    assert request.userinfo["name"].is_essential
    assert request.essential_acrs == ("aal2", "aal3")
    assert request.as_document() == {
        "userinfo": ["http://example.info/claims/groups", "name", "nickname"],
        "id_token": ["acr", "auth_time", "email"],
    }


@pytest.mark.bar("A25-25.6")
def test_value_of_sub_and_voluntary_acr_are_told_apart() -> None:
    request = read_claims_parameter('{"id_token": {"sub": {"value": "u1"}, "acr": {"values": ["aal2"]}}}')

    assert request.subjects == {"u1"}
    assert request.essential_acrs == ()


@pytest.mark.bar("A25-25.6", "CHECK-20")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        '"x"',
        "null",
        '{"userinfo": []}',
        '{"userinfo": 1}',
        '{"id_token": {"name": 1}}',
        '{"id_token": {"name": []}}',
        '{"id_token": {"name": {"essential": 1}}}',
        '{"id_token": {"name": {"values": "x"}}}',
        '{"a": 1, "a": 1}',
        '{"userinfo": ' + "[" * 2_000 + "]" * 2_000 + "}",
        '{"userinfo": {"a": {"value": {"b": {"c": {"d": {"e": 1}}}}}}}',
        json.dumps({"userinfo": {str(each): None for each in range(101)}}),
        '{"x": "' + "x" * 8_200 + '"}',
    ],
    ids=range(16),
)
def test_parameter_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        read_claims_parameter(text)

    assert refused.value.error is ErrorCode.INVALID_REQUEST


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["essential", "values"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["userinfo", "id_token", "sub", "acr", "essential", "value", "values"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_is_asked_is_read_or_refused(value: object) -> None:
    try:
        request = read_claims_parameter(json.dumps(value))
    except Refused:
        return
    assert isinstance(request.essential_acrs, tuple)
    assert isinstance(request.subjects, frozenset)


@pytest.mark.bar("A25-25.6")
def test_scopes_fill_userinfo_and_the_id_token_only_by_the_switch() -> None:
    scopes = ("openid", "email", "offline_access")

    assert userinfo_claims(scopes) == {"email", "email_verified"}
    assert id_token_claims_wanted(scopes) == frozenset()
    assert id_token_claims_wanted(scopes, has_profile=True) == {"email", "email_verified"}
    assert id_token_claims_wanted(scopes, read_claims_parameter(REQUEST)) == {"auth_time", "acr", "email"}
    assert userinfo_claims(("openid",), NOTHING) == frozenset()


@pytest.mark.bar("A25-25.6", "CVE-2026-16102")
def test_only_known_claims_with_a_value_are_told() -> None:
    wanted = (
        "name",
        "email",
        "email_verified",
        "phone_number_verified",
        "updated_at",
        "picture",
        "nickname",
        "roles",
    )

    assert claims_of(FACTS, wanted) == {
        "name": "Ada Lovelace",
        "email": "ada@portico.example",
        "email_verified": False,
        "updated_at": 1_795_132_800,
    }
    assert claims_of(FACTS, ("name",)) == {"name": "Ada Lovelace"}
