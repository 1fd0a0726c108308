"""What administrators do with people. Each act is on the trail, with who did it, and heard by every node at once."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

from portico.access.errors import RightsNotHeld
from portico.access.services import Grants, roles_of, rules_over
from portico.access.types import PlatformRole
from portico.admin.repositories import PeopleRepository
from portico.admin.schemas import PersonListQuery
from portico.admin.services.totals import Totals
from portico.admin.settings import AdminSettings
from portico.admin.types import Person
from portico.audit.services import record
from portico.audit.types import Outcome
from portico.core.ids import PrincipalId, UserId
from portico.credentials.events import UserUnlocked
from portico.credentials.services import WELCOME, Guessing
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.http.pagination import Cursors, Page, Slice
from portico.mail.services import Mailer
from portico.messaging import EventBus
from portico.runtime import Runtime
from portico.tokens.services import OneTimeTokens
from portico.tokens.types import IssuedToken, TokenPurpose
from portico.users.addresses import parse_address
from portico.users.errors import UserNotFound
from portico.users.services import NewUser, ProfileChanges, Users
from portico.users.types import Account
from portico.users.usernames import parse_username

type VersionCheck = Callable[[int], None]
"""Raises where `If-Match` names another version than the present one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPerson:
    """Whom an administrator adds, as typed."""

    email: str
    username: str | None = None
    full_name: str | None = None
    locale: str | None = None


class People:
    """Lists, adds, changes, switches off and on, unlocks, deletes and restores people."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._users = Users(runtime, unit)

    async def list_people(self, query: PersonListQuery) -> Page[Person]:
        """Return one page of living people.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        remember = partial(self._runtime.get(Totals).of, query.binding("people"))
        async with self._runtime.reads() as reader:
            people = PeopleRepository(reader)
            found: Slice[Any] = await people.list_people(query, Cursors.of(self._runtime), remember)
            completed = await people.completed(found.rows)
        return Page[Any](data=completed, pagination=found.pagination)

    async def get_person(self, user_id: UserId) -> Person:
        """Return a living person.

        Raises:
            UserNotFound: never there or deleted (404).
        """
        if self._unit.is_open:
            found = await PeopleRepository(self._unit.session).find_person(user_id)
        else:
            async with self._runtime.reads() as reader:
                found = await PeopleRepository(reader).find_person(user_id)
        if found is None:
            raise UserNotFound
        return found

    async def add_person(self, wanted: WantedPerson, *, actor: Principal) -> Person:
        """Make an account and mail its owner a link to choose a password; nobody else ever chooses it.

        Raises:
            EmailMalformed, UsernameMalformed, ProfileInvalid: a value is not valid (422).
            EmailTaken, UsernameTaken: by a living person (409).
        """
        new = NewUser(
            email=parse_address(wanted.email),
            username=parse_username(wanted.username) if wanted.username is not None else None,
            full_name=wanted.full_name,
            locale=self._users.locale(wanted.locale),
        )
        async with self._unit:
            account = await self._users.create_user(new, actor=actor)
            await self._welcome(account)
            return await self.get_person(account.id)

    async def change_person(
        self, user_id: UserId, changes: ProfileChanges, *, check_version: VersionCheck, actor: Principal
    ) -> Person:
        """Change the profile of a person.

        Raises:
            UserNotFound (404), PreconditionFailed (412), UsernameTaken (409).
            RightsNotHeld: the person holds a role that the administrator does not hold (403).
        """
        async with self._unit:
            await self._checked(user_id, actor, check_version)
            await self._users.update_profile(user_id, changes, actor=actor)
            return await self.get_person(user_id)

    async def deactivate(self, user_id: UserId, *, actor: Principal) -> Person:
        """Switch the account off; its sessions and tokens are dead when this is answered.

        Raises:
            UserNotFound (404), RightsNotHeld (403), LastSuperuser (409).
        """
        async with self._unit:
            await self._checked(user_id, actor)
            await self._users.deactivate_user(user_id, actor=actor)
            return await self.get_person(user_id)

    async def activate(self, user_id: UserId, *, actor: Principal) -> Person:
        """Switch the account on again.

        Raises:
            UserNotFound (404), RightsNotHeld (403).
        """
        async with self._unit:
            await self._checked(user_id, actor)
            await self._users.activate_user(user_id, actor=actor)
            return await self.get_person(user_id)

    async def delete_person(self, user_id: UserId, *, check_version: VersionCheck, actor: Principal) -> None:
        """Close the account; its data is erased when the grace is over.

        Raises:
            UserNotFound (404), PreconditionFailed (412), RightsNotHeld (403), LastSuperuser (409).
        """
        async with self._unit:
            await self._checked(user_id, actor, check_version)
            await self._users.delete_account(user_id, actor=actor)

    async def restore_person(self, user_id: UserId, *, actor: Principal) -> Person:
        """Open a deleted account again, without its roles.

        Raises:
            UserNotFound: living, erased, or never there (404).
            EmailTaken, UsernameTaken: somebody has the address or the name by now (409).
        """
        async with self._unit:
            await self._users.restore_user(user_id, actor=actor)
            return await self.get_person(user_id)

    async def unlock(self, user_id: UserId, *, actor: Principal) -> None:
        """Forget the wrong guesses at the account, so that its owner may try again at once.

        Raises:
            UserNotFound (404).
        """
        async with self._unit:
            await self.get_person(user_id)
            await Guessing(self._runtime).reset(user_id, self._unit)
            record(self._runtime, self._unit, "user.unlocked", actor=actor, subject=("user", user_id))
            unlocked = UserUnlocked(at=self._runtime.clock.now(), user_id=user_id)
            await self._runtime.get(EventBus).emit(unlocked, self._unit)

    async def set_roles(
        self, user_id: UserId, roles: Collection[PlatformRole], *, actor: Principal
    ) -> list[PlatformRole]:
        """Have the person hold these platform roles and no others.

        Raises:
            UserNotFound (404), LastSuperuser (409).
            RightsNotHeld: a role that would be given or taken is not held by the administrator himself (403).
        """
        async with self._unit:
            await self.get_person(user_id)
            # Locked before it is looked at: two who take it from each other must not both succeed.
            await PeopleRepository(self._unit.session).lock_superusers()
            held = set(await roles_of(self._unit.session, user_id))
            wanted = set(roles)
            self._require_held(held ^ wanted, user_id, actor)
            grants = Grants(self._runtime, self._unit)
            for role in sorted(wanted - held):
                await grants.grant_role(PrincipalId(user_id), role, actor=actor)
            for role in sorted(held - wanted):
                await grants.revoke_role(PrincipalId(user_id), role, actor=actor)
            return sorted(wanted)

    async def _checked(
        self, user_id: UserId, actor: Principal, check_version: VersionCheck | None = None
    ) -> None:
        """Lock the person and refuse what the administrator may not do to him.

        The superusers' grants are locked first, here and in `users`: one order for all who rule over superusers.
        """
        await PeopleRepository(self._unit.session).lock_superusers()
        account = await self._users.get_user(user_id)
        if check_version is not None:
            check_version(account.version)
        self._require_held(set(await roles_of(self._unit.session, user_id)), user_id, actor)

    def _require_held(self, roles: Collection[PlatformRole], user_id: UserId, actor: Principal) -> None:
        if rules_over(self._runtime, actor, roles):
            return
        record(
            self._runtime,
            self._unit,
            "admin.refused",
            outcome=Outcome.REFUSED,
            actor=actor,
            subject=("user", user_id),
            reason=RightsNotHeld.code,
        )
        raise RightsNotHeld

    async def _welcome(self, account: Account) -> None:
        token: IssuedToken = await OneTimeTokens(self._runtime, self._unit).issue(
            TokenPurpose.RESET_PASSWORD,
            account.id,
            ttl=self._runtime.section(AdminSettings).welcome_ttl,
            address=account.email_normal_form,
            with_code=True,
            payload={WELCOME: True},
        )
        self._runtime.get(Mailer).enqueue(
            self._unit,
            template="account_created",
            to=parse_address(account.email).deliverable,
            locale=account.locale,
            context={
                "name": account.full_name or account.username,
                "url": f"{self._runtime.settings.public_url}/reset?token={token.secret}",
                "code": token.code,
                "code_expires_at": token.code_expires_at,
                "expires_at": token.expires_at,
            },
        )
