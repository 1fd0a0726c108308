"""Why somebody may do something, or not: every line of the check, each with its answer, for people."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from portico.access.repositories import GrantRepository, RightsRepository
from portico.access.roles import RoleBook
from portico.access.services.authorizing import (
    about,
    is_good_in,
    judge_credential,
    judge_standing,
    policy_of,
)
from portico.access.services.rights import rights_in
from portico.access.types import PlatformRole, Rights
from portico.core.ids import OrganizationId, PrincipalId
from portico.core.permissions import Permission, Reach
from portico.http.access import Authorizer
from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from portico.http.policies import Case, Policy, Verdict
from portico.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the check; `is_good` None: it says nothing here."""

    is_good: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict, and the lines in the order in which they are asked."""

    verdict: Verdict
    steps: tuple[Step, ...]

    @property
    def is_allowed(self) -> bool:
        """Tell whether it may be done."""
        return self.verdict is Verdict.ALLOWED


async def explain(
    runtime: Runtime,
    principal_id: PrincipalId,
    permission: Permission,
    *,
    organization_id: OrganizationId | None = None,
    resource: object | None = None,
) -> Explanation:
    """Return why a principal may use a permission or not, as if he had just signed in; every fact is read anew."""
    principal = await _principal(runtime, principal_id, organization_id)
    if principal is None:
        return Explanation(
            Verdict.NOT_HELD, (Step(False, "there is no such principal, or it may act no more"),)
        )
    steps = [
        Step(True, f"{principal.kind.value} {principal.id} may act"),
        _credential_step(principal, permission),
    ]
    if permission.reach is Reach.ORGANIZATION:
        verdict = await _in_organization(runtime, principal, permission, organization_id, steps)
    else:
        verdict = await _elsewhere(runtime, principal, permission, steps)
    if resource is not None and verdict in {Verdict.ALLOWED, Verdict.NOT_HELD}:
        authorizer: Authorizer = runtime.get(Authorizer)
        case = authorizer.case(principal, permission, organization_id)
        verdict = _by_policy(runtime, about(case, resource, is_held=verdict is Verdict.ALLOWED), steps)
    return Explanation(verdict, tuple(steps))


async def _principal(
    runtime: Runtime, principal_id: PrincipalId, organization_id: OrganizationId | None
) -> Principal | None:
    async with runtime.reads() as session:
        found = await RightsRepository(session).find_kind(principal_id)
        roles = await GrantRepository(session).list_roles(principal_id)
    if found is None or found.disabled_at is not None:
        return None
    return Principal(
        id=principal_id,
        kind=found.kind,
        credential=CredentialKind.BEARER,
        auth_time=runtime.clock.now(),
        roles=frozenset(role.value for role in roles),
        organization_id=organization_id,
    )


def _credential_step(principal: Principal, permission: Permission) -> Step:
    if permission.is_interactive:
        return Step(None, "only the person himself may use it: no API key, no impersonation")
    good = judge_credential(principal, permission) is Verdict.ALLOWED
    return Step(good, "a session carries it; an API key or an OAuth token needs it among its scopes")


async def _elsewhere(
    runtime: Runtime, principal: Principal, permission: Permission, steps: list[Step]
) -> Verdict:
    if permission.reach is Reach.SELF:
        is_person = principal.kind is PrincipalKind.USER
        steps.append(Step(is_person, "every person holds it over himself"))
        return Verdict.ALLOWED if is_person else Verdict.NOT_HELD
    is_held = runtime.get(RoleBook).platform_holds(principal.roles, permission.value)
    steps.append(Step(is_held, f"platform roles: {', '.join(sorted(principal.roles)) or 'none'}"))
    return Verdict.ALLOWED if is_held else Verdict.NOT_HELD


async def _in_organization(
    runtime: Runtime,
    principal: Principal,
    permission: Permission,
    organization_id: OrganizationId | None,
    steps: list[Step],
) -> Verdict:
    if organization_id is None:
        steps.append(Step(False, "it is held in an organization, and none is named"))
        return Verdict.NO_ORGANIZATION
    if PlatformRole.SUPERUSER in principal.roles and is_good_in(principal, organization_id):
        steps.append(Step(True, "a superuser may act in every organization"))
        return Verdict.ALLOWED
    rights = await rights_in(runtime, principal.id, organization_id, fresh=True)
    steps.append(Step(rights is not None, f"member of the organization {organization_id}"))
    if rights is None:
        return Verdict.OUTSIDER
    return _by_rights(runtime, principal, permission, rights, steps)


def _by_rights(
    runtime: Runtime, principal: Principal, permission: Permission, rights: Rights, steps: list[Step]
) -> Verdict:
    standing = judge_standing(principal, rights, runtime.clock.now)
    steps.append(Step(not rights.is_disabled, "the organization is switched on"))
    if not rights.is_disabled:
        steps.append(Step(standing is Verdict.ALLOWED, _rules_text(rights)))
    is_held = permission.value in rights.permissions
    steps.append(Step(is_held, f"roles there: {', '.join(_role_names(rights)) or 'none'}"))
    if standing is not Verdict.ALLOWED:
        return standing
    return Verdict.ALLOWED if is_held else Verdict.NOT_HELD


def _rules_text(rights: Rights) -> str:
    rules = rights.rules
    wanted = [
        f"assurance level {rules.min_aal}" if rules.min_aal > 1 else "",
        f"signed in by {' or '.join(sorted(rules.methods))}" if rules.methods else "",
        f"signed in at most {rules.max_age} ago" if rules.max_age else "",
    ]
    return f"rules of signing in: {', '.join(filter(None, wanted)) or 'none'}"


def _role_names(rights: Rights) -> list[str]:
    return [role if not _is_id(role) else f"role {role}" for role in rights.roles]


def _is_id(role: str) -> bool:
    try:
        UUID(role)
    except ValueError:
        return False
    return True


def _by_policy(runtime: Runtime, case: Case[Any], steps: list[Step]) -> Verdict:
    policy = policy_of(runtime, case.permission)

    def describe(part: Policy, depth: int) -> None:
        steps.append(Step(part.holds(case), f"{'  ' * depth}policy: {part.name}"))
        for inner in part.parts:
            describe(inner, depth + 1)

    describe(policy, 0)
    return policy.judge(case)
