"""The ready-made policies, alone and joined."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from portico.access.policies import (
    Case,
    Policy,
    Verdict,
    all_of,
    any_of,
    from_networks,
    holds,
    owner_of,
    same_organization,
    signed_in_within,
    with_assurance,
)
from portico.core.ids import OrganizationId, PrincipalId, SessionId
from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from tests.access.conftest import Paper, PaperPermission

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ADA = PrincipalId(uuid4())
OURS = OrganizationId(uuid4())


def case(**facts: object) -> Case[object]:
    about = {"auth_time": NOW, "aal": 1, "session_id": SessionId(uuid4())}
    principal = {name: facts.pop(name, usual) for name, usual in about.items()}
    who = Principal(id=ADA, kind=PrincipalKind.USER, credential=CredentialKind.BEARER, **principal)  # type: ignore[arg-type]
    given: dict[str, object] = {"principal": who, "permission": PaperPermission.READ, "now": NOW}
    return Case(**(given | facts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "facts", "verdict"),
    [
        (holds, {"is_held": True}, Verdict.ALLOWED),
        (holds, {"is_held": False}, Verdict.NOT_HELD),
        (owner_of("author_id"), {"resource": Paper(ADA)}, Verdict.ALLOWED),
        (owner_of("author_id"), {"resource": Paper(uuid4())}, Verdict.NOT_HELD),
        (owner_of("author_id"), {}, Verdict.NOT_HELD),
        (same_organization, {"resource": Paper(ADA, OURS), "organization_id": OURS}, Verdict.ALLOWED),
        (same_organization, {"resource": Paper(ADA, OURS), "organization_id": uuid4()}, Verdict.OUTSIDER),
        (same_organization, {"resource": Paper(ADA, None), "organization_id": None}, Verdict.OUTSIDER),
        (
            signed_in_within(timedelta(minutes=10)),
            {"auth_time": NOW - timedelta(minutes=10)},
            Verdict.ALLOWED,
        ),
        (
            signed_in_within(timedelta(minutes=10)),
            {"auth_time": NOW - timedelta(minutes=11)},
            Verdict.SIGN_IN_TOO_OLD,
        ),
        (signed_in_within(timedelta(minutes=10)), {"auth_time": None}, Verdict.SIGN_IN_TOO_OLD),
        (with_assurance(2), {"aal": 2}, Verdict.ALLOWED),
        (with_assurance(2), {"aal": 1}, Verdict.SECOND_FACTOR_MISSING),
        (with_assurance(1), {"session_id": None}, Verdict.SECOND_FACTOR_MISSING),
        (from_networks("10.0.0.0/8", "2001:db8::/32"), {"client_address": "10.1.2.3"}, Verdict.ALLOWED),
        (from_networks("10.0.0.0/8", "2001:db8::/32"), {"client_address": "2001:db8::7"}, Verdict.ALLOWED),
        (from_networks("10.0.0.0/8"), {"client_address": "11.1.2.3"}, Verdict.NETWORK_REFUSED),
        (from_networks("10.0.0.0/8"), {"client_address": None}, Verdict.NETWORK_REFUSED),
        (from_networks("10.0.0.0/8"), {"client_address": "10.1.2.3, 11.1.1.1"}, Verdict.NETWORK_REFUSED),
    ],
)
def test_a_policy_says_yes_or_names_its_refusal(
    policy: Policy, facts: Mapping[str, object], verdict: Verdict
) -> None:
    assert policy.judge(case(**facts)) is verdict


def test_joined_policies_ask_their_parts() -> None:
    both = all_of(holds, with_assurance(2))
    either = any_of(holds, owner_of("author_id"))
    nested = all_of(any_of(holds, owner_of("author_id")), with_assurance(2))

    assert both.judge(case(aal=2)) is Verdict.ALLOWED
    assert both.judge(case(aal=1)) is Verdict.SECOND_FACTOR_MISSING
    assert both.judge(case(aal=1, is_held=False)) is Verdict.NOT_HELD
    assert either.judge(case(is_held=False, resource=Paper(ADA))) is Verdict.ALLOWED
    assert either.judge(case(is_held=False, resource=Paper(uuid4()))) is Verdict.NOT_HELD
    assert nested.judge(case(is_held=False, resource=Paper(ADA), aal=1)) is Verdict.SECOND_FACTOR_MISSING
    assert (
        nested.name
        == "(the role holds the permission or it is his own (author_id)) and signed in at assurance level 2"
    )
