"""Every SQL statement about people and their addresses."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, String, Table, bindparam, delete, func, select, type_coerce, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import flag_modified

from portico.access.models import RoleGrant
from portico.access.types import PlatformRole
from portico.core.ids import UserId
from portico.db.repositories import Repository
from portico.users.errors import EmailTaken, UsernameTaken, UserNotFound
from portico.users.models import EmailAddress, User
from portico.users.types import Account

_U = cast("Table", User.__table__)
_E = cast("Table", EmailAddress.__table__)
_G = cast("Table", RoleGrant.__table__)

_ROLES = (
    select(func.aggregate_strings(type_coerce(_G.c.role, String), ","))
    .where(_G.c.principal_id == _U.c.id)
    .scalar_subquery()
)
_ACCOUNT = (
    select(
        _U.c.id,
        _U.c.status,
        _E.c.id.label("email_id"),
        _E.c.address.label("email"),
        _E.c.normal_form.label("email_normal_form"),
        _E.c.verified_at.label("email_verified_at"),
        _U.c.username,
        _U.c.full_name,
        _U.c.locale,
        _U.c.timezone,
        _U.c.created_at,
        _U.c.updated_at,
        _U.c.version,
        _ROLES.label("roles"),
    )
    .join_from(_U, _E, _E.c.user_id == _U.c.id)
    .where(_U.c.deleted_at.is_(None), _E.c.released_at.is_(None), _E.c.is_primary)
)
_ACCOUNT_BY_ID = _ACCOUNT.where(_U.c.id == bindparam("user_id"))
_ACCOUNT_BY_EMAIL = _ACCOUNT.where(_E.c.normal_form == bindparam("normal_form"))
_ACCOUNT_BY_USERNAME = _ACCOUNT.where(_U.c.username_key == bindparam("username_key"))
_ACCOUNT_LOCKED = _ACCOUNT_BY_ID.with_for_update()

_CONFLICTS = {"email_addresses": EmailTaken, "username_key": UsernameTaken}


class UserRepository(Repository[User]):
    """The people."""

    async def find_account(self, user_id: UUID, *, lock: bool = False) -> Account | None:
        """Return a living person with the primary address; with `lock`, unchanged until the commit."""
        return await self._account(_ACCOUNT_LOCKED if lock else _ACCOUNT_BY_ID, {"user_id": user_id})

    async def find_account_by_email(self, normal_form: str) -> Account | None:
        """Return the living person with this address."""
        return await self._account(_ACCOUNT_BY_EMAIL, {"normal_form": normal_form})

    async def find_account_by_username(self, username_key: str) -> Account | None:
        """Return the living person whose username has this skeleton."""
        return await self._account(_ACCOUNT_BY_USERNAME, {"username_key": username_key})

    async def _account(self, query: Select[Any], values: dict[str, Any]) -> Account | None:
        connection = await self.session.connection()
        row = (await connection.execute(query, values)).mappings().one_or_none()
        if row is None:
            return None
        roles = sorted(PlatformRole(role) for role in (row["roles"] or "").split(",") if role)
        return Account(**{**row, "id": UserId(row["id"]), "roles": tuple(roles)})

    async def get_living(self, user_id: UUID) -> User:
        """Return the row of a living person, locked until the commit.

        Raises:
            UserNotFound: never there, deleted or erased (404).
        """
        query = select(User).where(User.id == user_id, User.deleted_at.is_(None)).with_for_update()
        user = await self.session.scalar(query)
        if user is None:
            raise UserNotFound
        return user

    async def get_deleted(self, user_id: UUID) -> User:
        """Return the row of a deleted person who is not erased yet, locked until the commit.

        Raises:
            UserNotFound: living, erased, or never there (404).
        """
        query = select(User).where(User.id == user_id, User.deleted_at.is_not(None), User.erased_at.is_(None))
        user = await self.session.scalar(query.with_for_update())
        if user is None:
            raise UserNotFound
        return user

    async def list_to_purge(self, now: datetime, limit: int) -> Sequence[User]:
        """Return deleted people whose grace is over, oldest first; another worker's batch is skipped."""
        query = (
            select(User)
            .where(User.purge_after <= now, User.erased_at.is_(None))
            .order_by(User.purge_after, User.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return (await self.session.scalars(query)).all()

    async def count_to_purge(self, now: datetime) -> int:
        """Return how many deleted people are past their grace."""
        query = select(func.count()).where(User.purge_after <= now, User.erased_at.is_(None))
        return await self.session.scalar(query) or 0

    @asynccontextmanager
    async def saving(self) -> AsyncIterator[None]:
        """Write what the block adds or changes, in a savepoint, and say whose name or address it would have taken.

        Raises:
            EmailTaken, UsernameTaken: the unique index says so (409); the transaction stays usable.
        """
        try:
            async with self.session.begin_nested():
                yield
                await self.session.flush()
        except IntegrityError as error:
            raise _conflict(error) from error

    async def touch(self, user_id: UUID, now: datetime) -> None:
        """Raise the version of a person whose roles changed, so that the `ETag` changes too; nothing if he is none.

        By the mapper, not by an UPDATE: the act under way may hold the same row with its version.
        """
        user = await self.session.get(User, user_id)
        if user is not None:
            self.renew(user, now)
            await self.session.flush()

    def renew(self, user: User, now: datetime) -> None:
        """Have the next flush raise the version, also where no column of the row itself changes."""
        user.updated_at = now
        flag_modified(user, "updated_at")


class EmailAddressRepository(Repository[EmailAddress]):
    """The addresses."""

    async def get_primary(self, user_id: UUID) -> EmailAddress:
        """Return the living primary address of a person, locked until the commit.

        Raises:
            UserNotFound: there is none, so there is no such living person (404).
        """
        query = select(EmailAddress).where(
            EmailAddress.user_id == user_id, EmailAddress.released_at.is_(None), EmailAddress.is_primary
        )
        address = await self.session.scalar(query.with_for_update())
        if address is None:
            raise UserNotFound
        return address

    async def exists_living(self, normal_form: str) -> bool:
        """Tell whether a living person has the address."""
        query = select(func.count()).where(_E.c.normal_form == normal_form, _E.c.released_at.is_(None))
        return bool(await self.session.scalar(query))

    async def release(self, user_id: UUID, now: datetime) -> None:
        """Let go of a person's addresses: from the commit on anyone may take them."""
        living = (_E.c.user_id == user_id) & _E.c.released_at.is_(None)
        await self.session.execute(update(_E).where(living).values(released_at=now, updated_at=now))

    async def reclaim(self, user_id: UUID, now: datetime) -> None:
        """Take back the addresses that the deletion released.

        Raises:
            EmailTaken: somebody has one of them by now (409).
        """
        statement = update(_E).where(_E.c.user_id == user_id).values(released_at=None, updated_at=now)
        try:
            async with self.session.begin_nested():
                await self.session.execute(statement)
        except IntegrityError as error:
            raise _conflict(error) from error

    async def list_of(self, user_id: UUID) -> Sequence[EmailAddress]:
        """Return all addresses of a person."""
        query = select(EmailAddress).where(EmailAddress.user_id == user_id).order_by(EmailAddress.created_at)
        return (await self.session.scalars(query)).all()

    async def count_in_domain(self, domain: str) -> int:
        """Count the living addresses of one domain."""
        query = select(func.count()).where(
            _E.c.normal_form.endswith(f"@{domain}"), _E.c.released_at.is_(None)
        )
        return (await self.session.scalar(query)) or 0

    async def erase(self, user_id: UUID) -> None:
        """Delete a person's addresses for good."""
        await self.session.execute(delete(_E).where(_E.c.user_id == user_id))


def _conflict(error: IntegrityError) -> Exception:
    """Name the unique index that refused: PostgreSQL says its name, SQLite its columns."""
    message = str(error.orig)
    return next((kind() for part, kind in _CONFLICTS.items() if part in message), error)
