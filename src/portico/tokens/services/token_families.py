"""Families of refresh tokens: one line each, of which only the newest generation is good.

The order of the checks: the MAC proves that we made the token, before the database is asked anything; one UPDATE
decides whether it is the live leaf; only if it is not, the row is read and tells what the token is instead:

    the row says                                outcome
    unknown, ended, or expired                  RefreshTokenInvalid
    direct parent of the leaf, within grace     the same child once more; nothing is written
    anything older, or later                    family ended, event, audit entry; RefreshTokenReplayed
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from portico.audit.services import record
from portico.audit.types import Outcome
from portico.core import failpoints
from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.messaging import EventBus
from portico.runtime import Runtime
from portico.tokens.errors import RefreshTokenInvalid, RefreshTokenReplayed
from portico.tokens.events import RefreshTokenReused
from portico.tokens.refresh_format import (
    KEY_VERSION,
    NotARefreshToken,
    RefreshClaims,
    read_refresh_token,
    write_refresh_token,
)
from portico.tokens.repositories import TokenFamilyRepository
from portico.tokens.types import Family, FamilyEnd, RefreshToken, Rotation, RotationOutcome


class TokenFamilies:
    """Starts, rotates and ends families. The database decides; nothing here is cached."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def start(
        self,
        *,
        idle: timedelta,
        absolute: timedelta,
        session_id: UUID | None = None,
        grant_id: UUID | None = None,
        client_id: str = "portico",
        scope: str = "",
    ) -> RefreshToken:
        """Begin a family for a session or a grant and return its first token.

        It dies `idle` after its last rotation, and `absolute` after now whatever happens.
        """
        now = self._runtime.clock.now()
        family_id = new_id()
        async with self._unit:
            await TokenFamilyRepository(self._unit.session).start(
                id=family_id,
                session_id=session_id,
                grant_id=grant_id,
                client_id=client_id,
                scope=scope,
                key_version=KEY_VERSION,
                counter=0,
                created_at=now,
                rotated_at=now,
                idle_expires_at=now + idle,
                absolute_expires_at=now + absolute,
            )
        return write_refresh_token(self._runtime.secret, family_id, 0)

    async def rotate(self, token: str, *, grace: timedelta, idle: timedelta) -> Rotation:
        """Exchange a refresh token for its child; one statement when all is well.

        Joins the transaction that is open, or opens its own. `grace` is how long after a rotation its parent still
        gets the same child (0: never); `idle` moves the family's idle limit.

        Raises:
            RefreshTokenInvalid: malformed, expired, ended or unknown (401).
            RefreshTokenReplayed: rotated away before; kept, the family is ended (401).
        """
        claims = self.read(token)
        async with self._unit:
            now = self._runtime.clock.now()
            families = TokenFamilyRepository(self._unit.session)
            if failpoints.armed:
                await failpoints.reach("tokens.rotate.before_write")
            family = await families.rotate(claims.family_id, claims.counter, now=now, idle_until=now + idle)
            if failpoints.armed:
                await failpoints.reach("tokens.rotate.after_write")
            if family is None:
                family = await self._regranted(claims, grace, now)
                return self._rotation(family, RotationOutcome.REGRANTED)
            return self._rotation(family, RotationOutcome.ROTATED)

    async def touch(self, token: str, *, idle: timedelta) -> Family:
        """Move the idle limit of a family whose tokens are not rotated, because they are bound to a key.

        Raises:
            RefreshTokenInvalid: malformed, expired, ended or unknown (401).
        """
        claims = self.read(token)
        now = self._runtime.clock.now()
        async with self._unit:
            families = TokenFamilyRepository(self._unit.session)
            family = await families.touch(claims.family_id, claims.counter, now=now, idle_until=now + idle)
        if family is None:
            raise RefreshTokenInvalid
        return family

    async def family_of(self, token: str) -> Family:
        """Return the family that a genuine token names, live or not, whichever generation the token is.

        Raises:
            RefreshTokenInvalid: not ours, or the family is gone (401).
        """
        claims = self.read(token)
        if self._unit.is_open:
            family = await TokenFamilyRepository(self._unit.session).find(claims.family_id)
        else:
            async with self._runtime.reads() as session:
                family = await TokenFamilyRepository(session).find(claims.family_id)
        if family is None:
            raise RefreshTokenInvalid
        return family

    async def revoke(self, *, session_id: UUID, reason: FamilyEnd = FamilyEnd.REVOKED) -> int:
        """End the families of a session; no token of theirs is good after the commit. Return how many ended."""
        return await self.revoke_many(session_ids=[session_id], reason=reason)

    async def revoke_many(
        self, *, session_ids: Collection[UUID], reason: FamilyEnd = FamilyEnd.REVOKED
    ) -> int:
        """End the families of several sessions in one statement; return how many ended."""
        async with self._unit:
            families = TokenFamilyRepository(self._unit.session)
            return await families.end_of_sessions(session_ids, reason, self._runtime.clock.now())

    async def revoke_grants(
        self, *, grant_ids: Collection[UUID], reason: FamilyEnd = FamilyEnd.REVOKED
    ) -> int:
        """End the families of OAuth grants in one statement; return how many ended."""
        async with self._unit:
            families = TokenFamilyRepository(self._unit.session)
            return await families.end_of_grants(grant_ids, reason, self._runtime.clock.now())

    async def sweep(self, before: datetime, *, limit: int = 500) -> int:
        """Delete up to `limit` families that ended or expired before `before`; return how many went."""
        async with self._unit:
            return await TokenFamilyRepository(self._unit.session).remove_ended(before, limit)

    def read(self, token: str) -> RefreshClaims:
        """Return what a genuine token says; asks no database.

        Raises:
            RefreshTokenInvalid: not ours (401).
        """
        try:
            return read_refresh_token(self._runtime.secret, token)
        except NotARefreshToken:
            raise RefreshTokenInvalid from None

    def first_of(self, family_id: UUID) -> RefreshToken:
        """Return the first token of a family; good only once the family's row was written and committed."""
        return write_refresh_token(self._runtime.secret, family_id, 0)

    def child_of(self, claims: RefreshClaims) -> RefreshToken:
        """Return the token that a leaf gives way to; good only once the family's row was rotated and committed."""
        return write_refresh_token(self._runtime.secret, claims.family_id, claims.counter + 1)

    def _rotation(self, family: Family, outcome: RotationOutcome) -> Rotation:
        child = write_refresh_token(self._runtime.secret, family.id, family.counter)
        return Rotation(family=family, refresh_token=child, outcome=outcome)

    async def _regranted(self, claims: RefreshClaims, grace: timedelta, now: datetime) -> Family:
        """Return the family if the token is the leaf's parent within the grace; refuse everything else."""
        family = await TokenFamilyRepository(self._unit.session).find(claims.family_id)
        if family is None or not family.is_live(now) or claims.counter >= family.counter:
            raise RefreshTokenInvalid
        is_parent = claims.counter == family.counter - 1
        if is_parent and grace and now - family.rotated_at < grace:
            return family
        raise await self._ended_as_replayed(family, claims, now)

    async def _ended_as_replayed(
        self, family: Family, claims: RefreshClaims, now: datetime
    ) -> RefreshTokenReplayed | RefreshTokenInvalid:
        """End the family and tell everybody; of several replays at once the first does it."""
        if failpoints.armed:
            await failpoints.reach("tokens.replay.before_write")
        families = TokenFamilyRepository(self._unit.session)
        if not await families.end_one(family.id, FamilyEnd.REPLAYED, now):
            return RefreshTokenInvalid()
        if failpoints.armed:
            await failpoints.reach("tokens.replay.after_write")
        behind = family.counter - claims.counter
        record(
            self._runtime,
            self._unit,
            "refresh_token.reused",
            outcome=Outcome.REFUSED,
            subject=("token_family", family.id),
            session_id=family.session_id,
            reason="replayed",
            details={"generations_behind": behind, "client_id": family.client_id},
        )
        event = RefreshTokenReused(
            at=now,
            family_id=family.id,
            session_id=family.session_id,
            grant_id=family.grant_id,
            client_id=family.client_id,
            generations_behind=behind,
        )
        await self._runtime.get(EventBus).emit(event, self._unit)
        return RefreshTokenReplayed()
