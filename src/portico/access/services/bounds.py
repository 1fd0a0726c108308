"""Nobody gives, takes or rules over rights that he does not hold himself (CVE-2026-9795, CVE-2026-16106)."""

from collections.abc import Iterable
from uuid import UUID

from portico.access.errors import RightsNotHeld
from portico.access.roles import RoleBook
from portico.access.services.authorizing import is_good_in
from portico.access.services.rights import RightsReader
from portico.access.types import PlatformRole
from portico.audit.services import record
from portico.audit.types import Outcome
from portico.core.ids import OrganizationId
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.runtime import Runtime


def rules_over(runtime: Runtime, actor: Principal, roles: Iterable[str]) -> bool:
    """Tell whether the actor, with the credential that he uses, holds all that these platform roles hold."""
    roles = set(roles)
    if PlatformRole.SUPERUSER in roles and (
        PlatformRole.SUPERUSER not in actor.roles or actor.scopes is not None
    ):
        return False
    book = runtime.get(RoleBook)
    held = book.of_platform(actor.roles)
    return book.of_platform(roles) <= (held if actor.scopes is None else held & actor.scopes)


async def require_covered(
    runtime: Runtime,
    unit: Unit,
    actor: Principal,
    organization_id: OrganizationId,
    permissions: Iterable[str],
    *,
    subject: tuple[str, UUID] | None = None,
) -> None:
    """Refuse the actor who lacks one of the permissions there, by what the transaction sees. Call under the lock.

    Raises:
        RightsNotHeld: kept on the trail (403).
    """
    if await covers(runtime, unit, actor, organization_id, frozenset(permissions)):
        return
    record(
        runtime,
        unit,
        "role.refused",
        outcome=Outcome.REFUSED,
        actor=actor,
        subject=subject,
        organization_id=organization_id,
        reason=RightsNotHeld.code,
    )
    raise RightsNotHeld


async def covers(
    runtime: Runtime, unit: Unit, actor: Principal, organization_id: OrganizationId, wanted: frozenset[str]
) -> bool:
    """Tell whether the actor, with the credential that he uses, holds all of these there."""
    if not is_good_in(actor, organization_id):
        return False
    if actor.scopes is not None and not wanted <= actor.scopes:
        return False
    if PlatformRole.SUPERUSER in actor.roles:
        return wanted <= runtime.get(RoleBook).in_organizations
    rights = await runtime.get(RightsReader).read(unit.session, actor.id, organization_id)
    return rights is not None and rights.covers(wanted)
