"""Ready-made policies, and how to join them.

    policies={DocumentPermission.DELETE: any_of(holds, owner_of("author_id"))}
    dependencies=[Depends(requires(BillingPermission.PAY, when=signed_in_within(timedelta(minutes=10))))]

A policy of one's own is `Policy("in working hours", lambda case: 8 <= case.now.hour < 18)`.
"""

from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

from portico.http.policies import Case, Policy, Verdict

__all__ = [
    "Case",
    "Policy",
    "Verdict",
    "all_of",
    "any_of",
    "from_networks",
    "holds",
    "owner_of",
    "same_organization",
    "signed_in_within",
    "with_assurance",
]

holds = Policy("the role holds the permission", lambda case: case.is_held)
"""What is asked where nothing else is declared."""

same_organization = Policy(
    "it belongs to the same organization",
    lambda case: getattr(case.resource, "organization_id", None) == case.organization_id is not None,
    Verdict.OUTSIDER,
)
"""The thing's `organization_id` is that in which the question is asked."""


def owner_of(attribute: str) -> Policy:
    """Return the policy that the thing's `attribute` is the id of who asks."""

    def is_owner(case: Case[Any]) -> bool:
        return getattr(case.resource, attribute, None) == case.principal.id

    return Policy(f"it is his own ({attribute})", is_owner)


def signed_in_within(age: timedelta) -> Policy:
    """Return the policy that the person signed in at most `age` ago; keys and jobs never did.

    Nor did a client that acts in his name: he may have just let it in, but it is not he who asks.
    """

    def is_recent(case: Case[Any]) -> bool:
        signed_in = case.principal.auth_time
        is_himself = case.principal.client_id is None
        return is_himself and signed_in is not None and case.now - signed_in <= age

    return Policy(f"signed in at most {age} ago", is_recent, Verdict.SIGN_IN_TOO_OLD)


def with_assurance(aal: int) -> Policy:
    """Return the policy that the sign-in was at least this strong (NIST SP 800-63B-4)."""
    return Policy(
        f"signed in at assurance level {aal}",
        lambda case: case.principal.session_id is not None and case.principal.aal >= aal,
        Verdict.SECOND_FACTOR_MISSING,
    )


def from_networks(*networks: str) -> Policy:
    """Return the policy that the request comes from one of these networks (`10.0.0.0/8`, `2001:db8::/32`)."""
    allowed = [ip_network(network) for network in networks]

    def is_inside(case: Case[Any]) -> bool:
        try:
            address = ip_address(case.client_address or "")
        except ValueError:
            return False
        return any(address in network for network in allowed)

    return Policy(f"from {', '.join(networks)}", is_inside, Verdict.NETWORK_REFUSED)


def all_of(*policies: Policy) -> Policy:
    """Return the policy that all of these hold; the first that does not gives the answer."""
    return _AllOf(" and ".join(_bracketed(policy) for policy in policies), policies)


def any_of(*policies: Policy) -> Policy:
    """Return the policy that one of these holds; the last gives the answer if none does."""
    return Policy(
        " or ".join(_bracketed(policy) for policy in policies),
        lambda case: any(policy.holds(case) for policy in policies),
        policies[-1].refusal,
        policies,
    )


class _AllOf(Policy):
    """All parts hold."""

    def __init__(self, name: str, parts: tuple[Policy, ...]) -> None:
        super().__init__(name, lambda case: all(part.holds(case) for part in parts), parts=parts)

    def judge(self, case: Case[Any]) -> Verdict:
        """Return the refusal of the first part that does not hold."""
        verdicts = (part.judge(case) for part in self.parts)
        return next((verdict for verdict in verdicts if verdict is not Verdict.ALLOWED), Verdict.ALLOWED)


def _bracketed(policy: Policy) -> str:
    return f"({policy.name})" if policy.parts else policy.name
