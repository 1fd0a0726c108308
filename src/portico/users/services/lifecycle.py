"""What ends an account, and what brings it back: switched off and on, deleted, restored, erased."""

from datetime import datetime

from portico.access.services import Grants, roles_of
from portico.access.types import PlatformRole
from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.core.ids import PrincipalId, UserId
from portico.db.unit import Unit
from portico.feature import FeatureSet
from portico.http.authentication import Principal
from portico.mail.services import Mailer
from portico.messaging import Event, EventBus
from portico.runtime import Runtime
from portico.users.addresses import parse_address
from portico.users.events import UserActivated, UserDeactivated, UserDeleted, UserErased, UserRestored
from portico.users.models import User
from portico.users.ports import Obligations
from portico.users.repositories import EmailAddressRepository, UserRepository
from portico.users.settings import UsersSettings
from portico.users.types import Account, UserStatus
from portico.web import moments


class UserLifecycle:
    """Switches accounts off and on, deletes, restores and erases them; each act is on the trail and announced."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._settings = runtime.section(UsersSettings)

    async def deactivate_user(self, user_id: UserId, *, actor: Principal | None = None) -> None:
        """Switch the account off; every session and token of it is dead when this is answered.

        Raises:
            UserNotFound: no such living person (404).
            LastSuperuser: nobody could administer the deployment any more (409).
        """
        async with self._unit:
            await Grants(self._runtime, self._unit).keep_a_superuser(PrincipalId(user_id))
            user = await UserRepository(self._unit.session).get_living(user_id)
            if user.status is UserStatus.DEACTIVATED:
                return
            self._set_status(user, UserStatus.DEACTIVATED)
            await Grants(self._runtime, self._unit).disable(PrincipalId(user_id))
            await self._announce("user.deactivated", user_id, actor)
            await self._emit(UserDeactivated(at=self._runtime.clock.now(), user_id=user_id))

    async def activate_user(self, user_id: UserId, *, actor: Principal | None = None) -> None:
        """Switch the account on again.

        Raises:
            UserNotFound: no such living person (404).
        """
        async with self._unit:
            user = await UserRepository(self._unit.session).get_living(user_id)
            if user.status is UserStatus.ACTIVE:
                return
            self._set_status(user, UserStatus.ACTIVE)
            await Grants(self._runtime, self._unit).enable(PrincipalId(user_id))
            await self._announce("user.activated", user_id, actor)
            await self._emit(UserActivated(at=self._runtime.clock.now(), user_id=user_id))

    async def delete_account(self, user_id: UserId, *, actor: Principal | None = None) -> None:
        """Close the account: roles go, the address is free, sessions end; erased when the grace is over.

        Raises:
            UserNotFound: no such living person (404).
            LastSuperuser: nobody could administer the deployment any more (409).
            LastOwner: an organization of others would be left without an owner (409).
        """
        async with self._unit:
            # The superusers' grants before the person, as everywhere: two who delete each other must not both wait.
            await Grants(self._runtime, self._unit).keep_a_superuser(PrincipalId(user_id))
            if (obligations := self._runtime.find(Obligations)) is not None:
                await obligations.refuse_unsettled(self._unit, user_id)
            people = UserRepository(self._unit.session)
            account = await people.find_account(user_id, lock=True)
            await self._strip_roles(user_id, actor)
            user = await people.get_living(user_id)
            now = self._runtime.clock.now()
            user.deleted_at, user.updated_at = now, now
            user.purge_after = now + self._settings.deletion_grace
            await people.flush()
            await EmailAddressRepository(self._unit.session).release(user_id, now)
            await self._announce("user.deleted", user_id, actor)
            await self._emit(UserDeleted(at=now, user_id=user_id))
            if account is not None:
                self._say_goodbye(account, user.purge_after)

    async def restore_user(self, user_id: UserId, *, actor: Principal | None = None) -> None:
        """Open a deleted account again, without its roles.

        Raises:
            UserNotFound: not deleted, or erased already (404).
            EmailTaken, UsernameTaken: somebody has the address or the name by now (409).
        """
        async with self._unit:
            people = UserRepository(self._unit.session)
            user = await people.get_deleted(user_id)
            now = self._runtime.clock.now()
            await EmailAddressRepository(self._unit.session).reclaim(user_id, now)
            async with people.saving():
                user.deleted_at, user.purge_after, user.updated_at = None, None, now
            await self._announce("user.restored", user_id, actor)
            await self._emit(UserRestored(at=now, user_id=user_id))

    async def purge_deleted(self) -> int:
        """Erase one batch of those whose grace is over; return how many. Two workers never take the same one."""
        async with self._unit:
            people = UserRepository(self._unit.session)
            batch = await people.list_to_purge(self._runtime.clock.now(), self._settings.purge_batch)
            for user in batch:
                await self._erase(user)
            return len(batch)

    async def count_to_purge(self) -> int:
        """Return how many deleted accounts are past their grace."""
        async with self._runtime.reads() as session:
            return await UserRepository(session).count_to_purge(self._runtime.clock.now())

    async def _erase(self, user: User) -> None:
        user_id = UserId(PrincipalId(user.id))
        for held in self._runtime.get(FeatureSet).personal_data:
            if held.erase is not None:
                await held.erase(user_id, self._unit, self._runtime)
        now = self._runtime.clock.now()
        user.username, user.username_key, user.full_name = None, None, None
        user.locale, user.timezone = self._settings.locales[0], "UTC"
        user.erased_at, user.updated_at = now, now
        await self._unit.session.flush()
        await self._announce("user.erased", user_id, None)
        await self._emit(UserErased(at=now, user_id=user_id))

    async def _strip_roles(self, user_id: UserId, actor: Principal | None) -> None:
        grants = Grants(self._runtime, self._unit)
        for role in await roles_of(self._unit.session, user_id):
            await grants.revoke_role(PrincipalId(user_id), PlatformRole(role), actor=actor)

    def _set_status(self, user: User, status: UserStatus) -> None:
        user.status, user.updated_at = status, self._runtime.clock.now()

    async def _announce(self, action: str, user_id: UserId, actor: Principal | None) -> None:
        record(self._runtime, self._unit, action, actor=actor, subject=("user", user_id))
        await self._runtime.get(RevocationLog).append(self._unit, [f"user:{user_id}"])

    async def _emit(self, event: Event) -> None:
        await self._runtime.get(EventBus).emit(event, self._unit)

    def _say_goodbye(self, account: Account, purge_after: datetime) -> None:
        erased_on = moments.day(purge_after, account.locale, account.timezone)
        self._runtime.get(Mailer).enqueue(
            self._unit,
            template="account_deleted",
            to=parse_address(account.email).deliverable,
            locale=account.locale,
            context={"name": account.full_name or account.username, "erased_on": erased_on},
        )
