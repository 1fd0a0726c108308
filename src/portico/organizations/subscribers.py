"""What organizations do when they hear of others' acts: in the transaction of the act itself, but for joining by a
domain, which locks the organization before the person and so comes after the proof of the address.
"""

from portico.core.ids import UserId
from portico.db.unit import Unit
from portico.messaging import JobRun
from portico.organizations.events import MemberLeft, OrganizationDeleted
from portico.organizations.repositories.domains import DomainRepository
from portico.organizations.repositories.invitations import InvitationRepository
from portico.organizations.services import AccountClosing
from portico.organizations.services.joining import DomainJoining
from portico.runtime import Runtime
from portico.users.events import UserDeactivated, UserDeleted, UserEmailChanged, UserEmailVerified


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


async def join_by_domain(event: UserEmailVerified | UserEmailChanged, run: JobRun) -> None:
    """Let somebody in who has proven an address of a verified domain."""
    await DomainJoining(run.runtime, run.unit()).join(event.user_id)


async def close_offers(event: OrganizationDeleted, unit: Unit, _runtime: Runtime) -> None:
    """Withdraw the invitations of an organization that was deleted, and let go of its domains; for good."""
    await InvitationRepository(unit.session).revoke_all(event.organization_id, event.at)
    await DomainRepository(unit.session).unverify_all(event.organization_id, event.at)


async def forget_invitations(event: UserDeleted, unit: Unit, _runtime: Runtime) -> None:
    """Delete the invitations to the addresses of somebody who closes his account: at the purge nobody knows them."""
    await InvitationRepository(unit.session).erase_of_person(event.user_id)
