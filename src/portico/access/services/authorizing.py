"""The one check for people, API keys, OAuth scopes and jobs alike.

    the credential     its scopes name the permission; it is not one that only the person himself may use
    the reach          over oneself: every person; over the platform: by platform role; in an organization: below
    the organization   there is one; the caller belongs to it; it is switched on; he signed in as it wants
    the role           one of his there holds the permission
    the policy         if the feature declares one, and a thing is spoken of

The first line that does not hold gives the answer. `explaining` prints all of them.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from portico.access.policies import holds
from portico.access.repositories import GrantRepository, RightsRepository
from portico.access.roles import RoleBook
from portico.access.services.rights import RightsReader
from portico.access.types import PlatformRole, Rights, SignInRules
from portico.audit.services import record
from portico.audit.types import Outcome
from portico.core.context import acting_in, current_request
from portico.core.ids import OrganizationId, PrincipalId
from portico.core.permissions import Permission, Reach
from portico.db.unit import Unit
from portico.feature import FeatureSet
from portico.http.access import REFUSALS, Authorizer
from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from portico.http.policies import Case, Policy, Verdict
from portico.runtime import Runtime

log = structlog.get_logger("portico.access")

NOTED_EVERY: Final = timedelta(minutes=1)
"""The same refusal of the same caller is put on the trail once in this time; the log has each."""
MOST_NOTED: Final = 10_000

BEFORE_MEMBERSHIP: Final = frozenset({
    Verdict.OUTSIDER, Verdict.SCOPE_TOO_NARROW, Verdict.NOT_INTERACTIVE, Verdict.NO_ORGANIZATION,
})  # fmt: skip
"""What is refused without having asked whether the caller belongs to the organization."""

MACHINE_CREDENTIALS: Final = frozenset({CredentialKind.API_KEY, CredentialKind.JOB})
"""How nobody has signed in, so that rules of signing in say nothing about them."""


HANDED_ON: Final = frozenset({CredentialKind.API_KEY, CredentialKind.OAUTH})
"""Credentials that a program has from a person: less than the person himself, and for one organization at most."""


class RoleAuthorizer:
    """The Authorizer: by credential, role and organization."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._book = runtime.get(RoleBook)
        self._noted: dict[tuple[UUID, str, UUID | None], datetime] = {}
        self._reader: RightsReader | None = None

    async def decide(
        self,
        principal: Principal,
        permission: Permission,
        organization_id: OrganizationId | None = None,
        *,
        fresh: bool = False,
    ) -> Verdict:
        """Return whether the principal may use the permission, there."""
        verdict = judge_credential(principal, permission)
        if verdict is not Verdict.ALLOWED:
            return verdict
        reach = permission.reach
        if reach is Reach.SELF:
            return _allowed(principal.kind is PrincipalKind.USER)
        if reach is Reach.PLATFORM:
            return _allowed(self._book.platform_holds(principal.roles, permission.value))
        return await self._decide_in(principal, permission, organization_id, fresh=fresh)

    async def _decide_in(
        self,
        principal: Principal,
        permission: Permission,
        organization_id: OrganizationId | None,
        *,
        fresh: bool,
    ) -> Verdict:
        if organization_id is None:
            return Verdict.NO_ORGANIZATION
        if not is_good_in(principal, organization_id):
            return Verdict.OUTSIDER
        if PlatformRole.SUPERUSER in principal.roles:
            return Verdict.ALLOWED
        reader = self._reader or self._ready()
        rights = await reader.of(principal.id, organization_id, fresh=fresh)
        if rights is None:
            return Verdict.OUTSIDER
        verdict = judge_standing(principal, rights, self._runtime.clock.now)
        return _allowed(permission.value in rights.permissions) if verdict is Verdict.ALLOWED else verdict

    def case(
        self, principal: Principal, permission: Permission, organization_id: OrganizationId | None
    ) -> Case[None]:
        """Return the question as policies see it."""
        return Case(
            principal=principal,
            permission=permission,
            now=self._runtime.clock.now(),
            organization_id=organization_id,
            client_address=current_request().client_address,
        )

    async def note_refusal(self, case: Case[Any], verdict: Verdict) -> None:
        """Log the refusal and put it on the trail; again and again the same is one entry a minute."""
        log.info(
            "permission_refused",
            permission=case.permission.value,
            verdict=verdict.value,
            principal=str(case.principal.id),
        )
        # Who belongs to none of them may name any number of organizations: they count as one.
        where = None if verdict in BEFORE_MEMBERSHIP else case.organization_id
        if self._is_news((case.principal.id, case.permission.value, where)):
            async with (unit := self._runtime.unit()):
                record_refusal(self._runtime, unit, case, verdict)

    def _is_news(self, refusal: tuple[UUID, str, UUID | None]) -> bool:
        now = self._runtime.clock.now()
        before = self._noted.get(refusal)
        if before is not None and now - before < NOTED_EVERY:
            return False
        if len(self._noted) >= MOST_NOTED:
            self._noted.clear()
        self._noted[refusal] = now
        return True

    def _ready(self) -> RightsReader:
        """Take the reader of the running process; at construction it was not up yet."""
        self._reader = self._runtime.get(RightsReader)
        return self._reader


def judge_credential(principal: Principal, permission: Permission) -> Verdict:
    """Return whether this credential may carry the permission at all."""
    if principal.scopes is not None and permission.value not in principal.scopes:
        return Verdict.SCOPE_TOO_NARROW
    is_himself = principal.actor_id is None and principal.credential not in HANDED_ON
    return Verdict.ALLOWED if is_himself or not permission.is_interactive else Verdict.NOT_INTERACTIVE


def is_good_in(principal: Principal, organization_id: OrganizationId) -> bool:
    """Tell whether the credential is good in that organization; a key or a client's token only in its own."""
    return principal.credential not in HANDED_ON or principal.organization_id == organization_id


def judge_standing(principal: Principal, rights: Rights, now: Callable[[], datetime]) -> Verdict:
    """Return whether the organization lets a member act who signed in as this one did."""
    if rights.is_disabled:
        return Verdict.ORGANIZATION_DISABLED
    if rights.rules == _NO_RULES or principal.credential in MACHINE_CREDENTIALS:
        return Verdict.ALLOWED
    return _judge_sign_in(principal, rights.rules, now())


_NO_RULES: Final = SignInRules()


def _judge_sign_in(principal: Principal, rules: SignInRules, now: datetime) -> Verdict:
    if principal.aal < rules.min_aal:
        return Verdict.SECOND_FACTOR_MISSING
    if rules.methods and rules.methods.isdisjoint(principal.amr):
        return Verdict.METHOD_REFUSED
    signed_in = principal.auth_time
    if rules.max_age is not None and (signed_in is None or now - signed_in > rules.max_age):
        return Verdict.SIGN_IN_TOO_OLD
    return Verdict.ALLOWED


def record_refusal(runtime: Runtime, unit: Unit, case: Case[Any], verdict: Verdict) -> None:
    """Put a refusal on the trail of the open unit: on the organization's where the caller is known there.

    What was refused before that was asked goes on the platform's, so that nobody writes on the trail of strangers.
    """
    where = case.organization_id
    is_known_there = verdict not in BEFORE_MEMBERSHIP or case.principal.organization_id == where
    record(
        runtime,
        unit,
        "permission.refused",
        outcome=Outcome.REFUSED,
        actor=case.principal,
        organization_id=where if is_known_there else None,
        reason=verdict.value,
        details={"permission": case.permission.value, "organization": str(where) if where else None},
    )


async def authorize(
    runtime: Runtime,
    principal: Principal,
    permission: Permission,
    resource: object | None = None,
    *,
    organization_id: OrganizationId | None = None,
    unit: Unit | None = None,
) -> None:
    """Let the act go on if the principal may use `permission`, on `resource` where one is given.

    The organization is the one given, else the principal's active one. Where the feature declares a policy for the
    permission, the policy decides, and the role is what it makes of it. Give the `unit` if it is open: the refusal is
    kept by it, and nothing else can be written beside it.

    Raises:
        OrganizationNotFound: the principal has nothing to do with the organization, or the thing is another's (404).
        one of `portico.http.access.REFUSALS`: otherwise (403).
    """
    authorizer: Authorizer = runtime.get(Authorizer)
    where = organization_id or principal.organization_id if permission.reach is Reach.ORGANIZATION else None
    verdict = await authorizer.decide(principal, permission, where)
    case: Case[Any] = authorizer.case(principal, permission, where)
    if resource is not None and verdict in {Verdict.ALLOWED, Verdict.NOT_HELD}:
        case = about(case, resource, is_held=verdict is Verdict.ALLOWED)
        verdict = policy_of(runtime, permission).judge(case)
    if verdict is Verdict.ALLOWED:
        return
    refusal = REFUSALS[verdict]()
    if unit is not None and unit.is_open:
        record_refusal(runtime, unit, case, verdict)
        refusal.persist = True  # type: ignore[misc]  # this one leaves a trace
    else:
        await authorizer.note_refusal(case, verdict)
    raise refusal


def policy_of(runtime: Runtime, permission: Permission) -> Policy:
    """Return what is asked besides the role; where nothing is declared, that the role holds it."""
    declared = (feature.policies.get(permission) for feature in runtime.get(FeatureSet).features)
    return next((policy for policy in declared if policy is not None), holds)


def about(case: Case[Any], resource: object, *, is_held: bool) -> Case[Any]:
    """Return the question about a thing."""
    return replace(case, resource=resource, is_held=is_held)


async def acting_for(
    runtime: Runtime, principal_id: PrincipalId, organization_id: OrganizationId | None = None
) -> Principal:
    """Return the principal in whose name a job acts, with the rights that he has now (ASVS 5.0 V8.3.3).

    Raises:
        NotPermitted: he is gone or may act no more (403).
    """
    async with runtime.reads() as session:
        found = await RightsRepository(session).find_kind(principal_id)
        roles = await GrantRepository(session).list_roles(principal_id)
    if found is None or found.disabled_at is not None:
        raise REFUSALS[Verdict.NOT_HELD]
    return Principal(
        id=principal_id,
        kind=found.kind,
        credential=CredentialKind.JOB,
        roles=frozenset(role.value for role in roles),
        organization_id=organization_id,
        actor_id=acting_in(principal_id),
    )


def _allowed(is_held: bool) -> Verdict:  # noqa: FBT001
    return Verdict.ALLOWED if is_held else Verdict.NOT_HELD
