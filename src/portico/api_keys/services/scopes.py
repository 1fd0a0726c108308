"""Measures a key that is wished for: no scope that its maker lacks, none that no key may have, no end too far away."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from ipaddress import ip_network

from portico.access.errors import RightsNotHeld
from portico.access.roles import RoleBook
from portico.access.services.bounds import covers
from portico.api_keys.errors import ApiKeyInvalid
from portico.api_keys.settings import ApiKeysSettings
from portico.audit.services import record
from portico.audit.types import Outcome
from portico.core.ids import OrganizationId
from portico.core.permissions import Permission, Reach
from portico.db.unit import Unit
from portico.http.access import REFUSALS, Authorizer
from portico.http.authentication import Principal, PrincipalKind
from portico.http.policies import Verdict
from portico.organizations.permissions import OrganizationPermission
from portico.runtime import Runtime
from portico.web.translations import mark

NAME_ONE = mark("Name at least one permission.")
WRITE_NETWORKS = mark("Write addresses or networks: 192.0.2.7, 10.0.0.0/8.")
END_AHEAD = mark("The end must lie ahead.")
AT_MOST_DAYS = mark("A key is good for %(n)s days at most.")
_STANDS = frozenset({Verdict.ALLOWED, Verdict.NOT_HELD})


def delegable(runtime: Runtime, *, in_organization: bool, beyond: bool) -> list[Permission]:
    """Return what keys may be given: held in an organization, and `beyond` it (over oneself and the platform)."""
    found = runtime.get(RoleBook).permissions.values()
    return [
        permission
        for permission in found
        if not permission.is_interactive
        and (in_organization if permission.reach is Reach.ORGANIZATION else beyond)
    ]


def readable_scopes(
    runtime: Runtime, scopes: Collection[str], *, in_organization: bool, beyond: bool
) -> tuple[str, ...]:
    """Return the scopes, sorted and each once.

    Raises:
        ApiKeyInvalid: there is none, or one that no such key may have (422).
    """
    known = {each.value for each in delegable(runtime, in_organization=in_organization, beyond=beyond)}
    if not scopes:
        raise ApiKeyInvalid(NAME_ONE)
    if strange := sorted(set(scopes) - known):
        raise ApiKeyInvalid(f"No key of this kind can have {strange[0]}.")
    return tuple(sorted(set(scopes)))


def readable_networks(networks: Sequence[str]) -> list[str]:
    """Return the networks as they are compared (`192.0.2.7/32`), each once.

    Raises:
        ApiKeyInvalid: one is none (422).
    """
    found: dict[str, None] = {}
    for text in networks:
        try:
            found[str(ip_network(text.strip()))] = None
        except ValueError:
            raise ApiKeyInvalid(WRITE_NETWORKS, field="networks") from None
    return list(found)


def end_of(runtime: Runtime, wished: datetime | None) -> datetime:
    """Return when a new key ends.

    Raises:
        ApiKeyInvalid: in the past, or later than the settings allow (422).
    """
    settings, now = runtime.section(ApiKeysSettings), runtime.clock.now()
    if wished is None:
        return now + settings.default_age
    if wished <= now:
        raise ApiKeyInvalid(END_AHEAD, field="expires_at")
    if wished > now + settings.max_age:
        raise ApiKeyInvalid(AT_MOST_DAYS % {"n": settings.max_age.days}, field="expires_at")
    return wished


def next_reminder(runtime: Runtime, expires_at: datetime | None, after: datetime) -> datetime | None:
    """Return when somebody is to be told next of a key's end."""
    if expires_at is None:
        return None
    spans = runtime.section(ApiKeysSettings).remind_before
    return min((expires_at - span for span in spans if expires_at - span > after), default=None)


async def require_standing(runtime: Runtime, actor: Principal, organization_id: OrganizationId) -> None:
    """Refuse whom the organization would not let act now: a key must not be the way round its rules of signing in.

    Raises:
        OrganizationNotFound: he has nothing to do with it (404).
        OrganizationDisabled, SecondFactorRequired, SignInMethodRefused, SignInTooOld: (403).
    """
    authorizer = runtime.get(Authorizer)
    verdict = await authorizer.decide(actor, OrganizationPermission.READ, organization_id, fresh=True)
    if verdict not in _STANDS:
        raise REFUSALS[verdict]


async def require_held(
    runtime: Runtime,
    unit: Unit,
    actor: Principal,
    scopes: Iterable[str],
    organization_id: OrganizationId | None,
) -> None:
    """Refuse scopes that the actor does not hold himself, by what the transaction sees. Call under the tenant's lock.

    Raises:
        RightsNotHeld: kept on the trail (403).
    """
    if await _holds(runtime, unit, actor, scopes, organization_id):
        return
    record(
        runtime,
        unit,
        "api_key.refused",
        outcome=Outcome.REFUSED,
        actor=actor,
        organization_id=organization_id,
        reason=RightsNotHeld.code,
    )
    raise RightsNotHeld


async def _holds(
    runtime: Runtime,
    unit: Unit,
    actor: Principal,
    scopes: Iterable[str],
    organization_id: OrganizationId | None,
) -> bool:
    book = runtime.get(RoleBook)
    by_reach: dict[Reach, set[str]] = {reach: set() for reach in Reach}
    for scope in scopes:
        by_reach[book.permissions[scope].reach].add(scope)
    if by_reach[Reach.SELF] and actor.kind is not PrincipalKind.USER:
        return False
    if not by_reach[Reach.PLATFORM] <= book.of_platform(actor.roles):
        return False
    wanted = frozenset(by_reach[Reach.ORGANIZATION])
    if not wanted:
        return True
    return organization_id is not None and await covers(runtime, unit, actor, organization_id, wanted)
