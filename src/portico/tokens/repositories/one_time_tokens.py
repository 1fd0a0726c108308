"""SQL of one-time tokens. Whether a token is spent is decided by one UPDATE, never by a read before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Table, bindparam, delete, select, update

from portico.db.repositories import Repository
from portico.tokens.models import OneTimeToken
from portico.tokens.types import TokenPurpose

MAX_FAILED_CODES = 5
"""Wrong tries after which a code is void (ASVS 5.0 V6.6.3)."""

MAX_CANDIDATES = 5
"""Live codes of one address that one try is compared with, the newest ones."""

_T = cast("Table", OneTimeToken.__table__)
_NOW = bindparam("now", type_=_T.c.expires_at.type)
_CONTENTS = (
    _T.c.id,
    _T.c.subject_id,
    _T.c.address,
    _T.c.sealed_payload,
    _T.c.expires_at,
    _T.c.consumed_at,
)

_CONSUME = (
    update(_T)
    .where(
        _T.c.secret_hash == bindparam("hash"),
        _T.c.purpose == bindparam("for_purpose"),
        _T.c.consumed_at.is_(None),
        _T.c.expires_at > _NOW,
    )
    .values(consumed_at=_NOW)
    .returning(*_CONTENTS)
)

_FIND = select(*_CONTENTS).where(
    _T.c.secret_hash == bindparam("hash"), _T.c.purpose == bindparam("for_purpose")
)

_FIND_BY_ID = select(*_CONTENTS).where(_T.c.id == bindparam("token_id"))

# Locked in one order, so that two tries at the same address wait for each other and never for ever.
_LOCK_CODES = (
    select(_T.c.id, _T.c.code_hash)
    .where(
        _T.c.purpose == bindparam("for_purpose"),
        _T.c.address == bindparam("sent_to"),
        _T.c.code_hash.is_not(None),
        _T.c.consumed_at.is_(None),
        _T.c.failed_codes < MAX_FAILED_CODES,
        _T.c.expires_at > _NOW,
        _T.c.created_at > bindparam("made_after", type_=_T.c.created_at.type),
    )
    .order_by(_T.c.id.desc())
    .limit(MAX_CANDIDATES)
    .with_for_update()
)

_CONSUME_BY_CODE = (
    update(_T)
    .where(
        _T.c.id == bindparam("token_id"),
        _T.c.consumed_at.is_(None),
        _T.c.failed_codes < MAX_FAILED_CODES,
    )
    .values(consumed_at=_NOW)
    .returning(*_CONTENTS)
)

_COUNT_WRONG_CODE = (
    update(_T).where(_T.c.id.in_(bindparam("ids", expanding=True))).values(failed_codes=_T.c.failed_codes + 1)
)

_VOID = (
    update(_T)
    .where(
        _T.c.purpose == bindparam("for_purpose"),
        _T.c.subject_id == bindparam("subject"),
        _T.c.consumed_at.is_(None),
    )
    .values(consumed_at=_NOW)
)


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token as the database knows it, without what it could be recognised by."""

    id: UUID
    subject_id: UUID
    address: str | None
    sealed_payload: bytes | None
    expires_at: datetime
    consumed_at: datetime | None


class OneTimeTokenRepository(Repository[OneTimeToken]):
    """The one-time tokens."""

    async def consume(self, purpose: TokenPurpose, secret_hash: bytes, now: datetime) -> StoredToken | None:
        """Spend the token if it is live; among any number of callers exactly one gets the row."""
        connection = await self.session.connection()
        values = {"hash": secret_hash, "for_purpose": purpose, "now": now}
        row = (await connection.execute(_CONSUME, values)).one_or_none()
        return None if row is None else StoredToken(*row)

    async def find(self, purpose: TokenPurpose, secret_hash: bytes) -> StoredToken | None:
        """Return the token's contents, expiry and use, spent or not."""
        connection = await self.session.connection()
        row = (await connection.execute(_FIND, {"hash": secret_hash, "for_purpose": purpose})).one_or_none()
        return None if row is None else StoredToken(*row)

    async def get_by_id(self, token_id: UUID) -> StoredToken:
        """Return a token that was found by its code in the same transaction."""
        connection = await self.session.connection()
        return StoredToken(*(await connection.execute(_FIND_BY_ID, {"token_id": token_id})).one())

    async def lock_codes(
        self, purpose: TokenPurpose, address: str, *, now: datetime, made_after: datetime
    ) -> list[tuple[UUID, bytes]]:
        """Return ids and code hashes that a code for `address` may match; nobody else can try until the commit."""
        connection = await self.session.connection()
        values = {"for_purpose": purpose, "sent_to": address, "now": now, "made_after": made_after}
        return [(row.id, row.code_hash) for row in await connection.execute(_LOCK_CODES, values)]

    async def consume_by_code(self, token_id: UUID, now: datetime) -> StoredToken | None:
        """Spend the token whose code matched, if it is still live."""
        connection = await self.session.connection()
        row = (await connection.execute(_CONSUME_BY_CODE, {"token_id": token_id, "now": now})).one_or_none()
        return None if row is None else StoredToken(*row)

    async def count_wrong_code(self, ids: Sequence[UUID]) -> None:
        """Count a wrong try against each of the tokens; none is as much work as one."""
        connection = await self.session.connection()
        await connection.execute(_COUNT_WRONG_CODE, {"ids": list(ids)})

    async def void(self, purpose: TokenPurpose, subject_id: UUID, now: datetime) -> None:
        """Spend every live token of the subject for this purpose."""
        connection = await self.session.connection()
        await connection.execute(_VOID, {"for_purpose": purpose, "subject": subject_id, "now": now})

    async def remove_expired(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` tokens that expired before `before`; return how many went."""
        oldest = select(_T.c.id).where(_T.c.expires_at < before).limit(limit)
        statement = delete(_T).where(_T.c.id.in_(oldest)).returning(_T.c.id)
        connection = await self.session.connection()
        return len((await connection.execute(statement)).all())
