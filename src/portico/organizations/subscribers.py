"""What organizations do when they hear of others' acts. All of it in the transaction of the act itself."""

from portico.core.ids import UserId
from portico.db.unit import Unit
from portico.organizations.services import AccountClosing
from portico.runtime import Runtime
from portico.users.events import UserDeactivated, UserDeleted


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
