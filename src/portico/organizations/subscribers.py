"""What organizations do when they hear of others' acts: in the transaction of the act itself, but for joining by a
domain, which locks the organization before the person and so comes after the proof of the address.
"""

from uuid import UUID

from portico.core.ids import UserId
from portico.db.unit import Unit
from portico.messaging import JobRun, Jobs
from portico.organizations.events import (
    DomainJoiningOpened,
    MemberLeft,
    OrganizationDeleted,
    OrganizationEnabled,
)
from portico.organizations.jobs import let_in_by_domain
from portico.organizations.repositories.domains import DomainRepository
from portico.organizations.repositories.invitations import InvitationRepository
from portico.organizations.services import AccountClosing
from portico.organizations.services.joining import DomainJoining
from portico.runtime import Runtime
from portico.users.events import (
    UserActivated,
    UserDeactivated,
    UserDeleted,
    UserEmailChanged,
    UserEmailVerified,
)


class OrganizationObligations:
    """Fills the port of `users`: an owner does not leave others without one."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def refuse_unsettled(self, unit: Unit, user_id: UserId) -> None:
        """Refuse where the person is the only owner of an organization with other members.

        Raises:
            OnlyOwner: `organizations` of the answer names them (409).
        """
        await AccountClosing(self._runtime, unit).prepare(user_id)


async def leave_organizations(event: UserDeleted, unit: Unit, runtime: Runtime) -> None:
    """Take somebody who closed his account out of his organizations."""
    await AccountClosing(runtime, unit).leave_all(event.user_id)


async def note_ownerless_organizations(event: UserDeactivated, unit: Unit, runtime: Runtime) -> None:
    """Note which organizations have no owner who can act, now that an administrator switched one off."""
    await AccountClosing(runtime, unit).note_ownerless(event.user_id)


async def keep_departure(event: MemberLeft, unit: Unit, runtime: Runtime) -> None:
    """Remember who left, so that no domain lets him in again by itself."""
    await DomainJoining(runtime, unit).note_departure(event.organization_id, event.user_id)


async def let_in_outsiders(event: DomainJoiningOpened, unit: Unit, runtime: Runtime) -> None:
    """Have those let in who had proven an address of the domain before."""
    _let_in(unit, runtime, event.domain_id)


async def let_in_missed(event: OrganizationEnabled, unit: Unit, runtime: Runtime) -> None:
    """Have those let in who proved an address while the organization was switched off."""
    for domain_id in await DomainRepository(unit.session).list_joining(event.organization_id):
        _let_in(unit, runtime, domain_id)


def _let_in(unit: Unit, runtime: Runtime, domain_id: UUID) -> None:
    wish = let_in_by_domain.when(unique_key=f"organizations.let_in_by_domain:{domain_id}")
    runtime.get(Jobs).enqueue(unit, wish, domain_id=domain_id)


async def join_by_domain(event: UserEmailVerified | UserEmailChanged | UserActivated, run: JobRun) -> None:
    """Let somebody in who has proven an address of a verified domain, or is switched on again."""
    await DomainJoining(run.runtime, run.unit()).join(event.user_id)


async def close_offers(event: OrganizationDeleted, unit: Unit, _runtime: Runtime) -> None:
    """Withdraw the invitations of an organization that was deleted, and let go of its domains; for good."""
    await InvitationRepository(unit.session).revoke_all(event.organization_id, event.at)
    await DomainRepository(unit.session).unverify_all(event.organization_id, event.at)


async def forget_invitations(event: UserDeleted, unit: Unit, _runtime: Runtime) -> None:
    """Delete the invitations to the addresses of somebody who closes his account: at the purge nobody knows them."""
    await InvitationRepository(unit.session).erase_of_person(event.user_id)
