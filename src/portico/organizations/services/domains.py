"""Mail domains of organizations: named, proven by a record in DNS, looked up again, and lost.

Nothing is held while DNS is asked: what was read before is read again under the lock. A domain has one proven owner;
another organization takes it over only when DNS holds its own record and the earlier one's no longer.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from portico.access.services import TenantGrants
from portico.access.types import OrganizationRole
from portico.audit.services import record
from portico.audit.types import Outcome
from portico.coordination.counters import Counters, parse_windows
from portico.core.entropy import random_token
from portico.core.ids import OrganizationId, PrincipalId, UserId, new_id
from portico.http.authentication import Principal
from portico.mail.services import Mailer
from portico.organizations.domain_names import parse_domain, record_name, record_value
from portico.organizations.errors import (
    DomainChecksLimited,
    DomainRecordMissing,
    DomainTaken,
    DomainUnverified,
    OwnershipNotJoined,
    TooManyDomains,
)
from portico.organizations.events import DomainJoiningOpened, DomainUnverified as ProofLost, DomainVerified
from portico.organizations.models import Domain
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.repositories import MembershipRepository, OrganizationRepository
from portico.organizations.repositories.domains import DomainRepository
from portico.organizations.resolving import DnsAway, Resolver
from portico.organizations.services.acts import Acts, VersionCheck
from portico.organizations.settings import OrganizationsSettings
from portico.organizations.types import DomainFacts
from portico.users.addresses import parse_address
from portico.users.services import Users

SUBJECT = "domain"
FAILED_RECHECK = timedelta(days=1)
MOST_MAILS = 20


class Domains(Acts):
    """Lists, adds, proves, changes and removes domains."""

    async def list_domains(self, organization_id: OrganizationId) -> list[DomainFacts]:
        """Return all domains that the organization has named."""
        async with self._runtime.reads() as session:
            return [facts_of(row) for row in await DomainRepository(session).list_of(organization_id)]

    async def add_domain(
        self, organization_id: OrganizationId, typed: str, *, actor: Principal
    ) -> DomainFacts:
        """Name a domain; it counts for nothing until it is proven.

        Raises:
            OrganizationNotFound (404), DomainAdded, TooManyDomains (409), DomainRefused (422).
        """
        settings = self._runtime.section(OrganizationsSettings)
        domain, now = parse_domain(typed, settings.refused_domains), self._runtime.clock.now()
        row = Domain(
            id=new_id(),
            organization_id=organization_id,
            domain=domain,
            challenge=random_token(self._runtime.entropy),
            failed_checks=0,
            joins_automatically=False,
            role=OrganizationRole.MEMBER.value,
            created_at=now,
            updated_at=now,
        )
        async with self._unit:
            await self._managed(organization_id, actor)
            domains = DomainRepository(self._unit.session)
            if await domains.count_of(organization_id) >= settings.max_domains:
                raise TooManyDomains
            await domains.insert(row)
            self._note("domain.added", row, actor)
        return facts_of(row)

    async def verify_domain(
        self, organization_id: OrganizationId, domain_id: UUID, *, actor: Principal
    ) -> DomainFacts:
        """Look the record up, and call the domain proven if it is there.

        Raises:
            DomainNotFound (404), DomainRecordMissing, DomainTaken: kept (409).
            DomainChecksLimited (429), DnsAway: nobody could tell (503).
        """
        async with self._runtime.reads() as session:
            known = facts_of(await DomainRepository(session).get_domain(organization_id, domain_id))
        await self._count_check(organization_id)
        texts = await self._runtime.get(Resolver).list_texts(record_name(known.domain))
        async with self._unit:
            await self._managed(organization_id, actor)
            domains = DomainRepository(self._unit.session)
            claims = await domains.lock_claims(known.domain)
            row = await domains.get_domain(organization_id, domain_id)
            row.checked_at = self._runtime.clock.now()
            if not _holds(texts, row):
                self._note("domain.verification_refused", row, actor, reason=DomainRecordMissing.code)
                raise DomainRecordMissing
            await self._displace(claims, row, texts, actor)
            await self._prove(row, actor)
        return facts_of(row)

    async def change_domain(
        self,
        organization_id: OrganizationId,
        domain_id: UUID,
        sent: Mapping[str, Any],
        *,
        check_version: VersionCheck,
        actor: Principal,
    ) -> DomainFacts:
        """Change what was sent: `joins_automatically`, `role`. Nobody lets others join with more than he holds.

        Raises:
            DomainNotFound, RoleNotFound (404), PreconditionFailed (412), DomainUnverified, OwnershipNotJoined (409).
            RightsNotHeld: the role, new or old, holds what the actor lacks (403).
        """
        async with self._unit:
            await self._managed(organization_id, actor)
            domains = DomainRepository(self._unit.session)
            row = await domains.get_domain(organization_id, domain_id, lock=True)
            check_version(row.version)
            before = {"joins_automatically": row.joins_automatically, "role": row.role}
            after = {**before, **sent}
            if after["role"] == OrganizationRole.OWNER.value:
                raise OwnershipNotJoined
            if after["joins_automatically"] and row.verified_at is None:
                raise DomainUnverified
            if after["joins_automatically"] or "role" in sent:
                grants = TenantGrants(self._runtime, self._unit)
                await grants.require_grantable(organization_id, [after["role"]], actor=actor)
            row.joins_automatically, row.role = after["joins_automatically"], after["role"]
            row.updated_at = self._runtime.clock.now()
            await domains.flush()
            changes = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
            self._note("domain.updated", row, actor, changes=changes)
            if row.joins_automatically and not before["joins_automatically"]:
                await self._open(row)
        return facts_of(row)

    async def remove_domain(
        self,
        organization_id: OrganizationId,
        domain_id: UUID,
        *,
        check_version: VersionCheck,
        actor: Principal,
    ) -> None:
        """Forget a domain; who joined by it stays.

        Raises:
            DomainNotFound (404), PreconditionFailed (412).
        """
        async with self._unit:
            await self._managed(organization_id, actor)
            domains = DomainRepository(self._unit.session)
            row = await domains.get_domain(organization_id, domain_id, lock=True)
            check_version(row.version)
            await domains.remove(row)
            await domains.flush()
            self._note("domain.removed", row, actor)

    async def recheck(self, domain_id: UUID) -> None:
        """Look a proven domain's record up again; after some failures in a row it is proven no longer."""
        async with self._runtime.reads() as session:
            known = await DomainRepository(session).find(domain_id)
        if known is None or known.verified_at is None:
            return
        try:
            texts = await self._runtime.get(Resolver).list_texts(record_name(known.domain))
        except DnsAway:  # a domain whose servers are gone for weeks is nobody's any more either
            texts = ()
        async with self._unit:
            row = await DomainRepository(self._unit.session).find(domain_id, lock=True)
            if row is None or row.verified_at is None:
                return
            row.checked_at = row.updated_at = self._runtime.clock.now()
            row.failed_checks = 0 if _holds(texts, row) else row.failed_checks + 1
            if row.failed_checks >= self._runtime.section(OrganizationsSettings).domain_failures:
                await self._unprove(row, None, reason="record_missing")

    async def list_due(self, limit: int) -> Sequence[UUID]:
        """Return proven domains whose record is to be looked up again."""
        now = self._runtime.clock.now()
        every = self._runtime.section(OrganizationsSettings).domain_recheck
        async with self._runtime.reads() as session:
            return await DomainRepository(session).list_due(
                checked_before=now - every, failed_before=now - min(every, FAILED_RECHECK), limit=limit
            )

    async def _open(self, row: Domain) -> None:
        event = DomainJoiningOpened(
            at=row.updated_at,
            organization_id=OrganizationId(row.organization_id),
            domain_id=row.id,
            domain=row.domain,
        )
        await self._emit(event)

    async def _managed(self, organization_id: OrganizationId, actor: Principal) -> None:
        await self._locked(organization_id, actor=actor, permission=OrganizationPermission.DOMAIN_MANAGE)

    async def _count_check(self, organization_id: OrganizationId) -> None:
        limits = parse_windows(self._runtime.section(OrganizationsSettings).domain_checks)
        verdict = await self._runtime.get(Counters).hit(f"dns:{organization_id}", limits)
        if not verdict.allowed:
            raise DomainChecksLimited(retry_after=int(verdict.retry_after) + 1)

    async def _displace(
        self, claims: Sequence[Domain], row: Domain, texts: Sequence[str], actor: Principal
    ) -> None:
        """Take the proof from an earlier owner whose record is gone; while it stands, nobody else gets the domain."""
        for other in claims:
            if other.id == row.id or other.verified_at is None:
                continue
            if _holds(texts, other):
                self._note("domain.verification_refused", row, actor, reason=DomainTaken.code)
                raise DomainTaken
            await self._unprove(other, None, reason="taken_over")

    async def _prove(self, row: Domain, actor: Principal) -> None:
        now = self._runtime.clock.now()
        row.failed_checks = 0
        if row.verified_at is not None:
            return
        row.verified_at = row.updated_at = now
        await DomainRepository(self._unit.session).flush()
        self._note("domain.verified", row, actor)
        event = DomainVerified(
            at=now, organization_id=OrganizationId(row.organization_id), domain_id=row.id, domain=row.domain
        )
        await self._emit(event)

    async def _unprove(self, row: Domain, actor: Principal | None, *, reason: str) -> None:
        """Take the proof away, and automatic joining with it: whoever proves the domain anew decides about it anew."""
        row.verified_at, row.joins_automatically, row.failed_checks = None, False, 0
        row.updated_at = self._runtime.clock.now()
        await DomainRepository(self._unit.session).flush()
        self._note("domain.unverified", row, actor, reason=reason)
        organization_id = OrganizationId(row.organization_id)
        event = ProofLost(
            at=row.updated_at, organization_id=organization_id, domain_id=row.id, domain=row.domain
        )
        await self._emit(event)
        await self._mail_owners(organization_id, row.domain)

    async def _mail_owners(self, organization_id: OrganizationId, domain: str) -> None:
        organization = await OrganizationRepository(self._unit.session).find(organization_id)
        owners = await MembershipRepository(self._unit.session).list_owners(organization_id)
        for owner_id in owners[:MOST_MAILS]:
            person = await Users(self._runtime, self._unit).find_user(UserId(PrincipalId(owner_id)))
            if organization is None or person is None or not person.is_active:
                continue
            self._runtime.get(Mailer).enqueue(
                self._unit,
                template="domain_unverified",
                to=parse_address(person.email).deliverable,
                locale=person.locale,
                context={
                    "name": person.full_name or person.username,
                    "organization": organization.name,
                    "domain": domain,
                },
            )

    def _note(
        self,
        action: str,
        row: Domain,
        actor: Principal | None,
        *,
        reason: str | None = None,
        changes: Mapping[str, tuple[Any, Any]] | None = None,
    ) -> None:
        record(
            self._runtime,
            self._unit,
            action,
            outcome=Outcome.REFUSED if action.endswith("_refused") else Outcome.SUCCESS,
            actor=actor,
            subject=(SUBJECT, row.id),
            organization_id=row.organization_id,
            reason=reason,
            details={"domain": row.domain},
            changes=changes,
        )


def facts_of(row: Domain) -> DomainFacts:
    """Return a domain as a value."""
    return DomainFacts(
        id=row.id,
        organization_id=OrganizationId(row.organization_id),
        domain=row.domain,
        challenge=row.challenge,
        verified_at=row.verified_at,
        checked_at=row.checked_at,
        failed_checks=row.failed_checks,
        joins_automatically=row.joins_automatically,
        role=row.role,
        created_at=row.created_at,
        version=row.version,
    )


def _holds(texts: Sequence[str], row: Domain) -> bool:
    return record_value(row.challenge) in (text.strip() for text in texts)
