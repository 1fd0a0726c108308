"""Every SQL statement about passwords, guesses and registration tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Table,
    bindparam,
    case,
    delete,
    func,
    insert,
    null,
    or_,
    select,
    tuple_,
    update,
)

from portico.credentials.models import GuessCounter, PasswordCredential, RegistrationToken
from portico.credentials.types import GuessRules, GuessScope
from portico.db.dialects import insert_into
from portico.db.repositories import Repository
from portico.db.trips import Trip, Trips

_P = cast("Table", PasswordCredential.__table__)
_G = cast("Table", GuessCounter.__table__)
_R = cast("Table", RegistrationToken.__table__)

_HASH_OF = select(_P.c.password_hash).where(_P.c.user_id == bindparam("user_id"))


class PasswordRepository(Repository[PasswordCredential]):
    """The password hashes."""

    async def find_hash(self, user_id: UUID) -> str | None:
        """Return the hash of a person, None where he has no password."""
        connection = await self.session.connection()
        return cast("str | None", await connection.scalar(_HASH_OF, {"user_id": user_id}))

    async def put(self, user_id: UUID, password_hash: str, now: datetime) -> None:
        """Set a person's hash, whether or not he has one."""
        values = {"password_hash": password_hash, "changed_at": now}
        dialect = self.session.get_bind().dialect.name
        upsert: Any = insert_into(_P, dialect)
        statement = upsert.values(user_id=user_id, **values).on_conflict_do_update(
            index_elements=[_P.c.user_id], set_=values
        )
        await self.session.execute(statement)

    async def replace(self, user_id: UUID, old_hash: str, new_hash: str) -> bool:
        """Store the same password under other parameters, unless it was changed meanwhile; tells which."""
        statement = (
            update(_P)
            .where(_P.c.user_id == user_id, _P.c.password_hash == old_hash)
            .values(password_hash=new_hash)
            .returning(_P.c.user_id)
        )
        return (await self.session.execute(statement)).first() is not None

    async def take_away(self, user_id: UUID) -> None:
        """Delete a person's password."""
        await self.session.execute(delete(_P).where(_P.c.user_id == user_id))

    async def changed_at(self, user_id: UUID) -> datetime | None:
        """Return when the password was set."""
        query = select(_P.c.changed_at).where(_P.c.user_id == user_id)
        return cast("datetime | None", await self.session.scalar(query))


@dataclass(frozen=True, slots=True)
class Guesses:
    """Where a scope stands: wrong guesses in a row, and until when further ones are refused."""

    failures: int
    blocked_until: datetime | None


class GuessTrips:
    """Takes guesses from their budget in one trip, in a transaction of its own."""

    def __init__(self, trips: Trips) -> None:
        self._trips = trips

    async def reserve(self, scope: GuessScope, rules: GuessRules, now: datetime) -> Guesses | None:
        """Count a guess as wrong before it is looked at; None where the scope is blocked and nothing was counted.

        One statement decides whether one more guess may be made, however many ask at once.
        """
        trip = _reserving(self._trips.dialect.name, rules)
        row = await self._trips.run(trip, {**_key(scope), "now": now, **_pauses(rules, now)})
        return None if row is None else Guesses(*row)


class GuessRepository(Repository[GuessCounter]):
    """The guess counters."""

    async def find(self, scope: GuessScope) -> Guesses | None:
        """Return where a scope stands."""
        connection = await self.session.connection()
        row = (await connection.execute(_GUESSES, _key(scope))).one_or_none()
        return None if row is None else Guesses(*row)

    async def clear(self, scope: GuessScope) -> None:
        """Forget the wrong guesses of one scope."""
        connection = await self.session.connection()
        await connection.execute(_CLEAR, _key(scope))

    async def give_back(self, scope: GuessScope) -> None:
        """Uncount one guess that was reserved and never looked at."""
        connection = await self.session.connection()
        await connection.execute(_GIVE_BACK, _key(scope))

    async def clear_account(self, account: bytes) -> None:
        """Forget all wrong guesses at an account, whatever the factor and device."""
        await self.session.execute(delete(_G).where(_G.c.account == account))

    async def list_blocked(self, account: bytes, now: datetime) -> Sequence[datetime | None]:
        """Return until when each blocked scope of an account is blocked."""
        query = select(_G.c.blocked_until).where(_G.c.account == account, _G.c.blocked_until > now)
        return (await self.session.scalars(query)).all()

    async def sweep(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` counters that saw no guess since `before`; return how many."""
        keys = tuple_(_G.c.account, _G.c.factor, _G.c.device)
        old = select(_G.c.account, _G.c.factor, _G.c.device).where(_G.c.last_failed_at < before).limit(limit)
        return len(
            (await self.session.execute(delete(_G).where(keys.in_(old)).returning(_G.c.account))).all()
        )


def _key(scope: GuessScope) -> dict[str, Any]:
    return {"of_account": scope.account, "of_factor": scope.factor.value, "on_device": scope.device}


def _pauses(rules: GuessRules, now: datetime) -> dict[str, datetime]:
    """Return when each pause would end that could begin now, by its name in the statement."""
    return {f"pause_{failures}": now + delay for failures, delay in rules.growing()} | {
        "longest": now + rules.longest_delay
    }


@lru_cache(maxsize=8)
def _reserving(dialect: str, rules: GuessRules) -> Trip:
    """Build the one statement that decides: insert, or count on where neither pause nor limit forbids it."""
    upsert: Any = insert_into(_G, dialect)
    failures = _G.c.failures + 1
    pauses = [(failures == count, _moment(f"pause_{count}")) for count, _ in rules.growing()]
    blocked_until = case((failures < rules.free, null()), *pauses, else_=_moment("longest"))
    may_guess = or_(_G.c.blocked_until.is_(None), _G.c.blocked_until <= _moment("now"))
    statement = (
        upsert.values(
            account=bindparam("of_account", type_=_G.c.account.type),
            factor=bindparam("of_factor", type_=_G.c.factor.type),
            device=bindparam("on_device", type_=_G.c.device.type),
            failures=1,
            first_failed_at=_moment("now"),
            last_failed_at=_moment("now"),
        )
        .on_conflict_do_update(
            index_elements=[_G.c.account, _G.c.factor, _G.c.device],
            set_={"failures": failures, "last_failed_at": _moment("now"), "blocked_until": blocked_until},
            where=(_G.c.failures < rules.most) & may_guess,
        )
        .returning(_G.c.failures, _G.c.blocked_until)
    )
    return Trip(postgresql=statement, sqlite=[statement])


def _moment(name: str) -> ColumnElement[datetime]:
    return bindparam(name, type_=_G.c.blocked_until.type)


_OF_SCOPE = (
    (_G.c.account == bindparam("of_account"))
    & (_G.c.factor == bindparam("of_factor"))
    & (_G.c.device == bindparam("on_device"))
)
_GUESSES = select(_G.c.failures, _G.c.blocked_until).where(_OF_SCOPE)
_CLEAR = delete(_G).where(_OF_SCOPE)
_GIVE_BACK = (
    update(_G).where(_OF_SCOPE, _G.c.failures > 0).values(failures=_G.c.failures - 1, blocked_until=null())
)


class RegistrationTokenRepository(Repository[RegistrationToken]):
    """The registration tokens."""

    async def is_usable(self, secret_hash: bytes, now: datetime) -> bool:
        """Tell whether somebody could sign up with the token now."""
        query = select(func.count()).where(_R.c.secret_hash == secret_hash, *_usable(now))
        return bool(await self.session.scalar(query))

    async def use(self, secret_hash: bytes, now: datetime) -> tuple[UUID, str | None] | None:
        """Take one use, and return id and role; None where none is left. Among racers each use goes to one."""
        statement = (
            update(_R)
            .where(_R.c.secret_hash == secret_hash, *_usable(now))
            .values(uses=_R.c.uses + 1)
            .returning(_R.c.id, _R.c.role)
        )
        row = (await self.session.execute(statement)).one_or_none()
        return None if row is None else (row.id, row.role)

    async def revoke(self, token_id: UUID, now: datetime) -> bool:
        """Withdraw a token; tells whether there is one that was not withdrawn before."""
        statement = (
            update(_R)
            .where(_R.c.id == token_id, _R.c.revoked_at.is_(None))
            .values(revoked_at=now)
            .returning(_R.c.id)
        )
        return (await self.session.execute(statement)).first() is not None

    async def list_page(self, *, offset: int, limit: int) -> Sequence[RegistrationToken]:
        """Return tokens, the newest first."""
        query = select(RegistrationToken).order_by(RegistrationToken.id.desc()).offset(offset).limit(limit)
        return (await self.session.scalars(query)).all()

    async def count(self) -> int:
        """Return how many tokens there are."""
        return (await self.session.scalar(select(func.count()).select_from(_R))) or 0


def _usable(now: datetime) -> list[ColumnElement[bool]]:
    return [_R.c.uses < _R.c.max_uses, _R.c.expires_at > now, _R.c.revoked_at.is_(None)]


async def insert_passwords(repository: PasswordRepository, rows: Sequence[dict[str, Any]]) -> None:
    """Write many hashes at once, for seeding."""
    await repository.session.execute(insert(_P), rows)
