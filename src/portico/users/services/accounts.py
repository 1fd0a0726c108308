"""Accounts: made, found, read, changed. What ends one stands in `lifecycle`, what proves an address in `addresses`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from portico.access.services import add_principal
from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.core.ids import UserId, new_id
from portico.http.authentication import Principal, PrincipalKind
from portico.messaging import EventBus
from portico.users.addresses import Address, find_normal_form
from portico.users.errors import ProfileInvalid, UsernameTaken, UserNotFound
from portico.users.events import UserCreated, UserUpdated
from portico.users.models import EmailAddress, User
from portico.users.names import parse_full_name
from portico.users.repositories import EmailAddressRepository, UserRepository
from portico.users.services.lifecycle import UserLifecycle
from portico.users.types import Account, UserStatus
from portico.users.usernames import Username, find_key, is_reserved, parse_username, same_spelling
from portico.web.translations import mark

UNSET: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """What an account is made from."""

    email: Address
    email_verified: bool = False
    email_proven: bool = False
    """Verified because the person showed that he reads the mail there, not because somebody says so."""
    username: Username | None = None
    full_name: str | None = None
    locale: str | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChanges:
    """The fields that were sent; `UNSET` ones stay as they are, None clears what may be empty."""

    username: Any = UNSET
    full_name: Any = UNSET
    locale: Any = UNSET
    timezone: Any = UNSET

    @classmethod
    def of(cls, sent: Mapping[str, Any]) -> "ProfileChanges":
        """Take the fields that a request carried."""
        return cls(**sent)

    def sent(self) -> dict[str, Any]:
        """Return the fields that were sent."""
        names = ("username", "full_name", "locale", "timezone")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not UNSET}


class Users(UserLifecycle):
    """People's accounts: this module's verbs, and those of their lifecycle."""

    async def create_user(self, new: NewUser, *, actor: Principal | None = None) -> Account:
        """Make the principal, the person and the primary address, and announce `UserCreated`.

        Raises:
            EmailTaken, UsernameTaken: by a living person; nothing of the new one is left, the unit stays usable (409).
        """
        async with self._unit:
            self.check_username(new.username)
            account = await self._inserted(new)
            user_id = account.id
            record(
                self._runtime, self._unit, "user.created", actor=actor or user_id, subject=("user", user_id)
            )
            await self._emit(UserCreated(at=account.created_at, user_id=user_id))
            return account

    async def rehearse_user(self, new: NewUser) -> Account:
        """Do the statements of `create_user` for an address that nobody can have; the caller takes them back.

        For sign-ups with a taken address, which must cost what others cost. The username is checked as it would be.

        Raises:
            UsernameTaken: by a living person (409).
        """
        unlike = f"{new_id()}@rehearsal.invalid"
        account = await self._inserted(replace(new, email=Address(unlike, unlike, unlike)))
        event = UserCreated(at=account.created_at, user_id=account.id)
        self._runtime.get(EventBus).rehearse(event, self._unit)
        return account

    async def _inserted(self, new: NewUser) -> Account:
        people = UserRepository(self._unit.session)
        now = self._runtime.clock.now()
        async with people.saving():
            user_id = UserId(add_principal(self._runtime, self._unit, PrincipalKind.USER))
            await people.flush()
            people.add(self._row(user_id, new, now))
            await people.flush()
            EmailAddressRepository(self._unit.session).add(_address(user_id, new, now))
        return await self._living(user_id)

    async def get_user(self, user_id: UserId) -> Account:
        """Return a living person.

        Raises:
            UserNotFound: never there or deleted (404).
        """
        account = await self.find_user(user_id)
        if account is None:
            raise UserNotFound
        return account

    async def find_user(self, user_id: UserId) -> Account | None:
        """Return a living person, or None; inside an open unit the row is locked and fresh."""
        if self._unit.is_open:
            return await UserRepository(self._unit.session).find_account(user_id, lock=True)
        async with self._runtime.reads() as session:
            return await UserRepository(session).find_account(user_id)

    async def find_by_email(self, address: Address) -> Account | None:
        """Return the living person with this address; inside an open unit as the transaction sees him."""
        if self._unit.is_open:
            return await UserRepository(self._unit.session).find_account_by_email(address.normal_form)
        async with self._runtime.reads() as session:
            return await UserRepository(session).find_account_by_email(address.normal_form)

    async def find_by_identifier(self, identifier: str) -> Account | None:
        """Return the living person whose e-mail address or very username somebody typed; one statement either way."""
        if len(identifier) > 320:
            return None
        if "@" in identifier:
            return await self._find_by_email(identifier)
        account = await self._find_by_username(identifier)
        return account if account and same_spelling(identifier, account.username or "") else None

    async def _find_by_email(self, text: str) -> Account | None:
        async with self._runtime.reads() as session:
            return await UserRepository(session).find_account_by_email(find_normal_form(text) or "")

    async def _find_by_username(self, text: str) -> Account | None:
        async with self._runtime.reads() as session:
            return await UserRepository(session).find_account_by_username(find_key(text) or "")

    async def update_profile(
        self,
        user_id: UserId,
        changes: ProfileChanges,
        *,
        require: Callable[[int], None] = lambda _: None,
        actor: Principal | None = None,
    ) -> Account:
        """Change what was sent and announce `UserUpdated`; every node forgets the cached profile.

        `require` is shown the present version before anything changes, and refuses another than it wants.

        Raises:
            UserNotFound: no such living person (404).
            PreconditionFailed: by `require` (412).
            UsernameMalformed, ProfileInvalid: a value is not valid (422).
            UsernameTaken: in use, too much alike, or reserved (409).
        """
        values = self._values(changes)
        async with self._unit:
            people = UserRepository(self._unit.session)
            user = await people.get_living(user_id)
            require(user.version)
            changed = tuple(sorted(name for name, value in values.items() if getattr(user, name) != value))
            if changed:
                async with people.saving():
                    _assign(user, values, self._runtime.clock.now())
                await self._announce_update(user_id, changed, actor)
            return await self._living(user_id)

    def check_username(self, username: Username | None) -> None:
        """Refuse names that belong to the deployment.

        Raises:
            UsernameTaken: reserved; the same answer as for one in use (409).
        """
        more = self._settings.reserved_usernames | {self._runtime.settings.name}
        if username is not None and is_reserved(username, more):
            raise UsernameTaken

    def _values(self, changes: ProfileChanges) -> dict[str, Any]:
        values = changes.sent()
        if "username" in values:
            username = parse_username(values["username"]) if values["username"] is not None else None
            self.check_username(username)
            values["username"] = username.text if username else None
            values["username_key"] = username.key if username else None
        if "locale" in values:
            values["locale"] = self.locale(values["locale"])
        if "full_name" in values:
            values["full_name"] = parse_full_name(values["full_name"])
        if "timezone" in values:
            values["timezone"] = values["timezone"] or self._settings.default_timezone
        if "timezone" in values and not _is_timezone(values["timezone"]):
            raise ProfileInvalid(mark("There is no such time zone"), field="timezone")
        return values

    def locale(self, wanted: str | None) -> str:
        """Return the language of an account.

        Raises:
            ProfileInvalid: not one that the deployment speaks (422).
        """
        if wanted is None:
            return self._settings.locales[0]
        if wanted not in self._settings.locales:
            known = ", ".join(self._settings.locales)
            raise ProfileInvalid(f"The languages are {known}", field="locale")
        return wanted

    def choose_locale(self, wanted: str | None, accept_language: str | None) -> str:
        """Return the language of a new account: the one asked for, else the browser's, else the first.

        Raises:
            ProfileInvalid: asked for, and not one that the deployment speaks (422).
        """
        if wanted is not None:
            return self.locale(wanted)
        spoken = (
            part.split(";")[0].strip().split("-")[0].lower() for part in (accept_language or "").split(",")
        )
        return next((code for code in spoken if code in self._settings.locales), self._settings.locales[0])

    def _row(self, user_id: UserId, new: NewUser, now: datetime) -> User:
        return User(
            id=user_id,
            username=new.username.text if new.username else None,
            username_key=new.username.key if new.username else None,
            full_name=new.full_name,
            locale=new.locale or self._settings.locales[0],
            timezone=new.timezone or self._settings.default_timezone,
            status=UserStatus.ACTIVE,
            created_at=now,
            updated_at=now,
        )

    async def _announce_update(
        self, user_id: UserId, changed: tuple[str, ...], actor: Principal | None
    ) -> None:
        shown = tuple(name for name in changed if name != "username_key")
        now = self._runtime.clock.now()
        record(
            self._runtime,
            self._unit,
            "user.updated",
            actor=actor or user_id,
            subject=("user", user_id),
            details={"fields": list(shown)},
        )
        await self._runtime.get(RevocationLog).append(self._unit, [f"user:{user_id}"])
        await self._emit(UserUpdated(at=now, user_id=user_id, fields=shown))

    async def _living(self, user_id: UserId) -> Account:
        await self._unit.session.flush()
        account = await UserRepository(self._unit.session).find_account(user_id)
        if account is None:
            raise UserNotFound
        return account


def _address(user_id: UserId, new: NewUser, now: datetime) -> EmailAddress:
    return EmailAddress(
        id=new_id(),
        user_id=user_id,
        address=new.email.typed,
        normal_form=new.email.normal_form,
        is_primary=True,
        verified_at=now if new.email_verified else None,
        proven_at=now if new.email_proven else None,
        created_at=now,
        updated_at=now,
    )


def _assign(user: User, values: Mapping[str, Any], now: datetime) -> None:
    for name, value in values.items():
        setattr(user, name, value)
    user.updated_at = now


@lru_cache(maxsize=1024)
def _is_timezone(name: str) -> bool:
    if name == "UTC":  # also where no time zone database is installed
        return True
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return False
    return True
