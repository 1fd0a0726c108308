"""Rules beside roles: a policy looks at who asks, what for, and the thing itself.

A policy is a typed predicate with a name, so that `portico authz explain` can say which one spoke. The ready-made ones
and the ways to join them are in `portico.access.policies`; features declare theirs by permission
(`Feature.policies`), routes by `requires(permission, when=policy)`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from portico.core.ids import OrganizationId
from portico.core.permissions import Permission
from portico.http.authentication import Principal


class Verdict(StrEnum):
    """What came of a question; every word but the first is a refusal, and the code of its answer stands beside it."""

    ALLOWED = "allowed"
    NOT_HELD = "not_held"
    SCOPE_TOO_NARROW = "scope_too_narrow"
    NOT_INTERACTIVE = "not_interactive"
    NO_ORGANIZATION = "no_organization"
    OUTSIDER = "outsider"
    ORGANIZATION_DISABLED = "organization_disabled"
    SECOND_FACTOR_MISSING = "second_factor_missing"
    METHOD_REFUSED = "method_refused"
    SIGN_IN_TOO_OLD = "sign_in_too_old"
    NETWORK_REFUSED = "network_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case[R]:
    """One question. `is_held`: the role holds the permission; `resource` is None where a route is asked for."""

    principal: Principal
    permission: Permission
    now: datetime
    is_held: bool = True
    resource: R | None = None
    organization_id: OrganizationId | None = None
    client_address: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """A predicate over a case; `refusal` is what is answered where it does not hold."""

    name: str
    holds: Callable[[Case[Any]], bool]
    refusal: Verdict = Verdict.NOT_HELD
    parts: tuple["Policy", ...] = ()
    """Of what a joined one is made, for whoever explains it."""

    def judge(self, case: Case[Any]) -> Verdict:
        """Return `ALLOWED` or the refusal."""
        return Verdict.ALLOWED if self.holds(case) else self.refusal
