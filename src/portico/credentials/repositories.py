"""Every SQL statement about passwords, guesses and registration tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Table, bindparam, case, delete, func, insert, null, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from portico.credentials.models import GuessCounter, PasswordCredential, RegistrationToken
from portico.credentials.types import GuessRules, GuessScope
from portico.db.repositories import Repository

_P = cast("Table", PasswordCredential.__table__)
_G = cast("Table", GuessCounter.__table__)
_R = cast("Table", RegistrationToken.__table__)

_HASH_OF = select(_P.c.password_hash).where(_P.c.user_id == bindparam("user_id"))


class PasswordRepository(Repository[PasswordCredential]):
    """The password hashes."""

    async def find_hash(self, user_id: UUID) -> str | None:
        """Return the hash of a person, None where he has no password."""
        return cast("str | None", await self.session.scalar(_HASH_OF, {"user_id": user_id}))

    async def put(self, user_id: UUID, password_hash: str, now: datetime) -> None:
        """Set a person's hash, whether or not he has one."""
        values = {"password_hash": password_hash, "changed_at": now}
        dialect = self.session.get_bind().dialect.name
        upsert: Any = (postgresql if dialect == "postgresql" else sqlite).insert(_P)
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


class GuessRepository(Repository[GuessCounter]):
    """The guess counters. One statement decides whether one more guess may be made, however many ask at once."""

    async def reserve(self, scope: GuessScope, rules: GuessRules, now: datetime) -> Guesses | None:
        """Count a guess as wrong before it is looked at; None where the scope is blocked and nothing was counted."""
        dialect = self.session.get_bind().dialect.name
        upsert: Any = (postgresql if dialect == "postgresql" else sqlite).insert(_G)
        failures = _G.c.failures + 1
        statement = (
            upsert.values(**_key(scope), failures=1, first_failed_at=now, last_failed_at=now)
            .on_conflict_do_update(
                index_elements=[_G.c.account, _G.c.factor, _G.c.device],
                set_={
                    "failures": failures,
                    "last_failed_at": now,
                    "blocked_until": _pause(failures, rules, now),
                },
                where=(_G.c.failures < rules.most)
                & or_(_G.c.blocked_until.is_(None), _G.c.blocked_until <= now),
            )
            .returning(_G.c.failures, _G.c.blocked_until)
        )
        row = (await self.session.execute(statement)).one_or_none()
        return None if row is None else Guesses(*row)

    async def find(self, scope: GuessScope) -> Guesses | None:
        """Return where a scope stands."""
        query = select(_G.c.failures, _G.c.blocked_until).where(*_is(scope))
        row = (await self.session.execute(query)).one_or_none()
        return None if row is None else Guesses(*row)

    async def clear(self, scope: GuessScope) -> None:
        """Forget the wrong guesses of one scope."""
        await self.session.execute(delete(_G).where(*_is(scope)))

    async def give_back(self, scope: GuessScope) -> None:
        """Uncount one guess that was reserved and never looked at."""
        values = {"failures": _G.c.failures - 1, "blocked_until": null()}
        await self.session.execute(update(_G).where(*_is(scope), _G.c.failures > 0).values(values))

    async def clear_account(self, account: bytes) -> None:
        """Forget all wrong guesses at an account, whatever the factor and device."""
        await self.session.execute(delete(_G).where(_G.c.account == account))

    async def list_blocked(self, account: bytes, now: datetime) -> Sequence[datetime | None]:
        """Return until when each blocked scope of an account is blocked."""
        query = select(_G.c.blocked_until).where(_G.c.account == account, _G.c.blocked_until > now)
        return (await self.session.scalars(query)).all()

    async def sweep(self, before: datetime) -> None:
        """Delete counters that saw no guess since `before`."""
        await self.session.execute(delete(_G).where(_G.c.last_failed_at < before))


def _key(scope: GuessScope) -> dict[str, Any]:
    return {"account": scope.account, "factor": scope.factor.value, "device": scope.device}


def _is(scope: GuessScope) -> list[ColumnElement[bool]]:
    return [_G.c[name] == value for name, value in _key(scope).items()]


def _pause(failures: ColumnElement[int], rules: GuessRules, now: datetime) -> ColumnElement[datetime | None]:
    """Return until when the next guess waits, by how many were wrong: a table, so that one statement does it all."""
    steps: list[tuple[ColumnElement[bool], Any]] = [(failures < rules.free, null())]
    count = rules.free
    while (delay := rules.delay_after(count)) is not None and delay < rules.longest_delay:
        steps.append((failures == count, _moment(now + delay)))
        count += 1
    return case(*steps, else_=_moment(now + rules.longest_delay))


def _moment(value: datetime) -> ColumnElement[datetime]:
    return bindparam(None, value, type_=_G.c.blocked_until.type)


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
