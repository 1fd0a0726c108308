"""SQL of signing keys."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, or_, select, update

from portico.db.repositories import Repository
from portico.keys.models import SigningKey
from portico.keys.types import KeyPurpose

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
