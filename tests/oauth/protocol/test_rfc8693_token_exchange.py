"""Token exchange: the parameters, and the chain of those who act (RFC 8693)."""

from typing import Any

import pytest

from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc8693_token_exchange import (
    ACCESS_TOKEN,
    DEEPEST_ACT,
    ID_TOKEN,
    JWT,
    act_claim,
    check_may_act,
    depth_of,
    read_exchange,
)

LEAST = {"subject_token": "t", "subject_token_type": ACCESS_TOKEN}
SERVICE = {"sub": "service", "iss": "https://id.example", "client_id": "service", "scope": "all"}


@pytest.mark.bar("A17-17.1")
def test_request_is_read() -> None:
    request = read_exchange(
        {**LEAST, "actor_token": "a", "actor_token_type": JWT, "requested_token_type": JWT},
        resources=["https://api.example"],
        audiences=["https://api.example", "orders"],
    )

    assert request.targets == ("https://api.example", "orders")
    assert request.requested_token_type == JWT
    assert read_exchange(LEAST).requested_token_type == ACCESS_TOKEN


@pytest.mark.bar("A17-17.1")
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"subject_token": "t"},
        {"subject_token_type": ACCESS_TOKEN},
        {"subject_token": "", "subject_token_type": ACCESS_TOKEN},
        {**LEAST, "subject_token_type": ID_TOKEN},
        {**LEAST, "subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {**LEAST, "subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {**LEAST, "actor_token": "a"},
        {**LEAST, "actor_token_type": JWT},
        {**LEAST, "actor_token": "a", "actor_token_type": ID_TOKEN},
        {**LEAST, "requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {**LEAST, "subject_token": "t" * 8_193},
        {**LEAST, "actor_token": "t" * 8_193, "actor_token_type": JWT},
    ],
    ids=range(13),
)
def test_incomplete_or_foreign_tokens_are_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        read_exchange(parameters)

    assert refused.value.error is ErrorCode.INVALID_REQUEST


def test_targets_are_bounded() -> None:
    with pytest.raises(Refused) as refused:
        read_exchange(LEAST, resources=["https://api.example"] * 6, audiences=["a"] * 5)

    assert refused.value.error is ErrorCode.INVALID_TARGET


@pytest.mark.bar("A17-17.1")
def test_newest_actor_stands_first_and_earlier_ones_behind() -> None:
    subject = {"sub": "u1", "act": {"sub": "first"}}
    actor = {**SERVICE, "act": {"sub": "somebody else"}}

    assert act_claim(subject, actor) == {
        "sub": "service",
        "iss": "https://id.example",
        "client_id": "service",
        "act": {"sub": "first"},
    }


@pytest.mark.bar("A17-17.1", "CHECK-20")
def test_chain_of_actors_has_an_end() -> None:
    claims: dict[str, Any] = {"sub": "u1"}
    for _ in range(DEEPEST_ACT):
        claims["act"] = act_claim(claims, SERVICE)
    deep: Any = {}
    for _ in range(10_000):
        deep = {"act": deep}

    with pytest.raises(Refused):
        act_claim(claims, SERVICE)
    with pytest.raises(Refused):
        act_claim({"act": deep}, SERVICE)
    assert depth_of(deep) == DEEPEST_ACT + 1


@pytest.mark.bar("A17-17.1")
def test_may_act_lets_the_named_actor_act() -> None:
    check_may_act({"sub": "u1"}, SERVICE)
    check_may_act({"may_act": {"sub": "service"}}, SERVICE)
    check_may_act({"may_act": {"sub": "service", "iss": "https://id.example"}}, SERVICE)


@pytest.mark.bar("A17-17.1")
@pytest.mark.parametrize(
    "named",
    [
        {},
        None,
        "service",
        ["service"],
        {"sub": "other"},
        {"sub": "service", "iss": "https://evil.example"},
        {"sub": "service", "x": 1},
    ],
)
def test_may_act_keeps_everybody_else_out(named: object) -> None:
    with pytest.raises(Refused):
        check_may_act({"may_act": named}, SERVICE)
