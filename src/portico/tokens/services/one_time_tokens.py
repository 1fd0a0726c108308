"""One-time tokens: issued for one purpose and one subject, redeemed once, by the link's secret or by a short code."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from portico.audit.services import record
from portico.audit.types import Outcome
from portico.core import failpoints
from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.runtime import Runtime
from portico.tokens.errors import CodeInvalid, TokenExpired, TokenInvalid, TokenUsed
from portico.tokens.models import OneTimeToken
from portico.tokens.repositories import OneTimeTokenRepository
from portico.tokens.repositories.one_time_tokens import MAX_CANDIDATES, StoredToken
from portico.tokens.secret_format import (
    NotASecret,
    code_hash,
    is_code_hash,
    new_code,
    new_secret,
    plain_code,
    secret_hash,
)
from portico.tokens.settings import TokensSettings
from portico.tokens.types import IssuedToken, RedeemedToken, TokenPurpose

PAYLOAD_KEY = "tokens.payload"
_NO_CANDIDATE = (UUID(int=0), bytes(32))


class OneTimeTokens:
    """Issues and redeems one-time tokens. Nothing stored can be presented: the secret as SHA-256, the code as a MAC."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def issue(
        self,
        purpose: TokenPurpose,
        subject_id: UUID,
        *,
        ttl: timedelta,
        address: str | None = None,
        with_code: bool = False,
        payload: dict[str, Any] | None = None,
        replaces_earlier: bool = True,
    ) -> IssuedToken:
        """Make a token and return its secret, which is never seen again.

        `address` is the normal form of where it is sent; a code is bound to it. `payload` (JSON values) is sealed
        into the row and comes back when the token is redeemed. `replaces_earlier` voids what the subject still
        holds for the same purpose.
        """
        now = self._runtime.clock.now()
        token_id = new_id()
        secret = new_secret(self._runtime.entropy)
        code = new_code(self._runtime.entropy) if with_code else None
        row = OneTimeToken(
            id=token_id,
            purpose=purpose,
            subject_id=subject_id,
            address=address,
            secret_hash=secret_hash(secret),
            code_hash=code_hash(self._runtime.secret, token_id, code) if code else None,
            failed_codes=0,
            sealed_payload=self._sealed(token_id, payload),
            created_at=now,
            expires_at=now + ttl,
        )
        async with self._unit:
            tokens = OneTimeTokenRepository(self._unit.session)
            if replaces_earlier:
                await tokens.void(purpose, subject_id, now)
            tokens.add(row)
            await tokens.flush()
        code_expires_at = min(row.expires_at, now + self._code_lifetime) if code else None
        return IssuedToken(
            id=token_id, secret=secret, code=code, expires_at=row.expires_at, code_expires_at=code_expires_at
        )

    async def redeem(self, purpose: TokenPurpose, secret: str) -> RedeemedToken:
        """Spend the token in the open transaction and return what it stands for; if that rolls back, it is unspent.

        Raises:
            TokenInvalid: no token of this purpose has this secret (400).
            TokenUsed: redeemed before, or replaced (410).
            TokenExpired: its time is over (410).
        """
        now = self._runtime.clock.now()
        hashed = _hash_of(secret)
        tokens = OneTimeTokenRepository(self._unit.session)
        if failpoints.armed:
            await failpoints.reach("tokens.redeem.before_write")
        row = await tokens.consume(purpose, hashed, now)
        if failpoints.armed:
            await failpoints.reach("tokens.redeem.after_write")
        if row is None:
            _live(await tokens.find(purpose, hashed), now)
            raise TokenUsed
        return self._redeemed(row)

    async def redeem_code(self, purpose: TokenPurpose, address: str, code: str) -> RedeemedToken:
        """Spend the token whose code was sent to `address` (normal form), in the open transaction.

        Every wrong try is counted against the live codes of the address; five make them void, while the link in
        the same mail stays good, so that a stranger who guesses takes nothing from its owner. A wrong code, an
        unknown address and a void code cost the same statements and get the same answer.

        Raises:
            CodeInvalid: kept, so that the try is counted (400).
        """
        tokens = OneTimeTokenRepository(self._unit.session)
        matching, candidates = await self._find_by_code(purpose, address, code)
        row = await tokens.consume_by_code(matching, self._runtime.clock.now()) if matching else None
        if row is None:
            raise await self._refused_code(purpose, candidates)
        return self._redeemed(row)

    async def peek_code(self, purpose: TokenPurpose, address: str, code: str) -> RedeemedToken:
        """Return what a code stands for without spending it, in the open transaction; a wrong one counts as ever.

        For a page that asks for more beside the code, such as the password of whom the token belongs to.

        Raises:
            CodeInvalid: kept, so that the try is counted (400).
        """
        matching, candidates = await self._find_by_code(purpose, address, code)
        if matching is None:
            raise await self._refused_code(purpose, candidates)
        return self._redeemed(await OneTimeTokenRepository(self._unit.session).get_by_id(matching))

    async def peek(self, purpose: TokenPurpose, secret: str) -> RedeemedToken:
        """Return what the token stands for and change nothing, for the page that asks for a click.

        Raises:
            TokenInvalid, TokenUsed, TokenExpired: as `redeem` would (400, 410).
        """
        hashed = _hash_of(secret)
        if self._unit.is_open:
            row = await OneTimeTokenRepository(self._unit.session).find(purpose, hashed)
        else:
            async with self._runtime.reads() as session:
                row = await OneTimeTokenRepository(session).find(purpose, hashed)
        return self._redeemed(_live(row, self._runtime.clock.now()))

    async def void(self, purpose: TokenPurpose, subject_id: UUID) -> None:
        """Make every token that the subject holds for this purpose useless."""
        async with self._unit:
            tokens = OneTimeTokenRepository(self._unit.session)
            await tokens.void(purpose, subject_id, self._runtime.clock.now())

    async def sweep(self, before: datetime, *, limit: int = 500) -> int:
        """Delete up to `limit` tokens that expired before `before`; return how many went."""
        async with self._unit:
            return await OneTimeTokenRepository(self._unit.session).remove_expired(before, limit)

    @property
    def _code_lifetime(self) -> timedelta:
        return self._runtime.section(TokensSettings).code_lifetime

    async def _find_by_code(
        self, purpose: TokenPurpose, address: str, code: str
    ) -> tuple[UUID | None, list[UUID]]:
        """Return the token whose code it is, if any, and all that a wrong code is counted against."""
        digits = plain_code(code)
        if digits is None:
            raise CodeInvalid
        now = self._runtime.clock.now()
        candidates = await OneTimeTokenRepository(self._unit.session).lock_codes(
            purpose, address, now=now, made_after=now - self._code_lifetime
        )
        if failpoints.armed:
            await failpoints.reach("tokens.redeem_code.before_write")
        return self._matching(candidates, digits), [token_id for token_id, _ in candidates]

    def _matching(self, candidates: Sequence[tuple[UUID, bytes]], digits: str) -> UUID | None:
        """Compare with as many hashes as there could be, so that their number does not show in the time."""
        padding = [_NO_CANDIDATE] * (MAX_CANDIDATES - len(candidates))
        matching = [
            token_id
            for token_id, hashed in [*candidates, *padding]
            if is_code_hash(self._runtime.secret, token_id, digits, hashed)
        ]
        return matching[0] if matching else None

    async def _refused_code(self, purpose: TokenPurpose, candidates: Sequence[UUID]) -> CodeInvalid:
        await OneTimeTokenRepository(self._unit.session).count_wrong_code(candidates)
        # Written whether or not the address is known: both branches end in a commit that reaches the disk.
        record(
            self._runtime,
            self._unit,
            "one_time_code.refused",
            outcome=Outcome.REFUSED,
            details={"purpose": purpose.value},
        )
        return CodeInvalid()

    def _sealed(self, token_id: UUID, payload: dict[str, Any] | None) -> bytes | None:
        if payload is None:
            return None
        plain = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        return self._runtime.secret.seal(
            PAYLOAD_KEY, plain, context=token_id.bytes, entropy=self._runtime.entropy
        )

    def _redeemed(self, row: StoredToken) -> RedeemedToken:
        payload: dict[str, Any] = {}
        if row.sealed_payload is not None:
            plain = self._runtime.secret.open(PAYLOAD_KEY, row.sealed_payload, context=row.id.bytes)
            payload = json.loads(plain)
        return RedeemedToken(id=row.id, subject_id=row.subject_id, address=row.address, payload=payload)


def _hash_of(secret: str) -> bytes:
    try:
        return secret_hash(secret)
    except NotASecret:
        raise TokenInvalid from None


def _live(row: StoredToken | None, now: datetime) -> StoredToken:
    if row is None:
        raise TokenInvalid
    if row.consumed_at is not None:
        raise TokenUsed
    if row.expires_at <= now:
        raise TokenExpired
    return row
