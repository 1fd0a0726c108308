"""SQL of signing keys, of kept keys, and of sealed columns."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from portico.db.dialects import insert_into
from portico.db.repositories import Repository
from portico.keys.models import SigningKey, StoredKey
from portico.keys.types import KeyPurpose, SealedColumn

ROTATION_LOCK = 0x706F_7274_6B65_7973
"""Number of the advisory lock that makes one process at a time add keys (`portkeys`)."""


class SigningKeyRepository(Repository[SigningKey]):
    """The signing keys."""

    async def lock(self) -> None:
        """Let no other process add a key before the commit; on SQLite the transaction itself sees to that."""
        if self.session.get_bind().dialect.name == "postgresql":
            await self.session.execute(select(func.pg_advisory_xact_lock(ROTATION_LOCK)))

    async def list_verifying(self, now: datetime) -> Sequence[SigningKey]:
        """Return the keys that are published at `now`, oldest first."""
        verifies = or_(SigningKey.verifies_until.is_(None), SigningKey.verifies_until > now)
        query = select(SigningKey).where(verifies).order_by(SigningKey.signs_from, SigningKey.kid)
        return (await self.session.scalars(query)).all()

    async def find_newest(self, purpose: KeyPurpose) -> SigningKey | None:
        """Return the key that has no successor yet."""
        query = (
            select(SigningKey)
            .where(SigningKey.purpose == purpose, SigningKey.signs_until.is_(None))
            .order_by(SigningKey.signs_from.desc())
            .limit(1)
        )
        return (await self.session.scalars(query)).one_or_none()

    async def retire(
        self, purpose: KeyPurpose, *, signs_until: datetime, verifies_until: datetime
    ) -> list[str]:
        """Let every key without a successor sign until `signs_until`; return which."""
        statement = (
            update(SigningKey)
            .where(SigningKey.purpose == purpose, SigningKey.signs_until.is_(None))
            .values(signs_until=signs_until, verifies_until=verifies_until)
            .returning(SigningKey.kid)
        )
        return sorted((await self.session.scalars(statement)).all())

    async def remove_retired(self, now: datetime) -> None:
        """Delete the keys whose last token is over."""
        await self.session.execute(delete(SigningKey).where(SigningKey.verifies_until <= now))


class KeptKeyRepository(Repository[StoredKey]):
    """Keys that outlive the root secret."""

    async def find_sealed(self, id_: str) -> bytes | None:
        """Return a key as it is sealed."""
        return await self.session.scalar(select(StoredKey.sealed_key).where(StoredKey.id == id_))

    async def list_sealed(self) -> Sequence[tuple[str, bytes]]:
        """Return all keys as they are sealed, by id."""
        query = select(StoredKey.id, StoredKey.sealed_key).order_by(StoredKey.id)
        return [(row.id, row.sealed_key) for row in await self.session.execute(query)]

    async def keep(self, id_: str, sealed: bytes, now: datetime, *, replaces: bool) -> None:
        """Write a key; one that is there is left alone unless it `replaces` it."""
        statement = insert_into(cast("Table", StoredKey.__table__), self.session.get_bind().dialect.name)
        statement = statement.values(id=id_, sealed_key=sealed, kept_at=now)
        if replaces:
            statement = statement.on_conflict_do_update(
                index_elements=[StoredKey.id], set_={"sealed_key": sealed, "kept_at": now}
            )
        else:
            statement = statement.on_conflict_do_nothing()
        await self.session.execute(statement)


class SealedRepository(Repository[Any]):
    """The values of one sealed column."""

    def __init__(self, session: AsyncSession, sealed: SealedColumn) -> None:
        super().__init__(session)
        self._column, self._key = sealed.column, sealed.key

    async def list_values(self, after: Any, limit: int) -> list[tuple[Any, bytes]]:
        """Return keys of rows and their values, in the order of the keys."""
        query = select(self._key, self._column).where(self._column.is_not(None))
        if after is not None:
            query = query.where(self._key > after)
        found = await self.session.execute(query.order_by(self._key).limit(limit))
        return [(row[0], row[1]) for row in found]

    async def replace_value(self, key: Any, before: bytes, after: bytes) -> bool:
        """Write a value unless somebody wrote another one meanwhile; tell whether it was written."""
        statement = (
            update(self._column.class_)
            .where(self._key == key, self._column == before)
            .values({self._column: after})
            .returning(self._key)
            .execution_options(synchronize_session=False)
        )
        return await self.session.scalar(statement) is not None
