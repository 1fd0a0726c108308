"""Making keys and handing over from one to the next, so that no request fails.

    created_at = now     published: every node and every cache of the key set learns of it
    signs_from           now + publication lead; at the same moment the old key's `signs_until`
    verifies_until       the old key's signs_until + longest life of a token + clock skew

Keys are added under a lock that all processes share: several that start at once, or rotate at once, add one.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from portico.coordination.revocations import RevocationLog
from portico.core import failpoints
from portico.db.unit import Unit
from portico.keys.events import SigningKeysRotated
from portico.keys.jose import JoseKey, generate_key, private_bytes
from portico.keys.models import SigningKey
from portico.keys.repositories import SigningKeyRepository
from portico.keys.services.keyring import PRIVATE_KEY, Keyring
from portico.keys.settings import CLOCK_SKEW, KeysSettings
from portico.keys.types import ALGORITHMS, KeyPurpose, KeyState, SigningAlgorithm
from portico.messaging import EventBus
from portico.runtime import Runtime


class KeyMaker(Protocol):
    """Makes key pairs; for whoever has a better source than this process, or tests with less time."""

    def make(self, algorithm: SigningAlgorithm) -> JoseKey:
        """Return a pair that was never returned before; called in a thread where it takes long."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """The key that signs next. `is_new` is False where one was waiting already and nothing was done."""

    purpose: KeyPurpose
    kid: str
    signs_from: datetime
    is_new: bool


async def ensure_key(runtime: Runtime, purpose: KeyPurpose) -> None:
    """Make the first key of a purpose if there is none; harmless when every worker does it at once."""
    async with runtime.reads() as session:
        exists = await SigningKeyRepository(session).find_newest(purpose) is not None
    if not exists:
        await _add_first(runtime, purpose)
    await _reload_ring(runtime)


async def ensure_keys(runtime: Runtime, purposes: Iterable[KeyPurpose]) -> None:
    """Make the first keys of purposes that this process has none for; a look into memory where it has."""
    keyring = runtime.get(Keyring)
    for purpose in purposes:
        if not keyring.can_sign(purpose):
            await ensure_key(runtime, purpose)


async def _add_first(runtime: Runtime, purpose: KeyPurpose) -> None:
    key = await _generated(runtime, ALGORITHMS[purpose])
    async with runtime.unit() as unit:
        keys = SigningKeyRepository(unit.session)
        await keys.lock()
        if await keys.find_newest(purpose) is None:
            now = runtime.clock.now()
            # A node whose clock is behind must be able to sign with it at once: there is no other key.
            keys.add(_row(runtime, key, purpose, now=now, signs_from=now - CLOCK_SKEW))


async def rotate_keys(
    runtime: Runtime, unit: Unit, *, purpose: KeyPurpose = KeyPurpose.ACCESS_TOKEN
) -> Rotated:
    """Publish a successor that takes over after the publication lead; one that waits already is left to it.

    Other nodes are told by a `key:` revocation, the trail by `SigningKeysRotated`.
    """
    successor = await _generated(runtime, ALGORITHMS[purpose])
    async with unit:
        keys = SigningKeyRepository(unit.session)
        await keys.lock()
        now = runtime.clock.now()
        newest = await keys.find_newest(purpose)
        if newest is not None and newest.signs_from > now:
            return Rotated(purpose=purpose, kid=newest.kid, signs_from=newest.signs_from, is_new=False)
        return await _hand_over(runtime, unit, successor, purpose, now)


async def rotate_due_keys(runtime: Runtime) -> list[Rotated]:
    """Rotate each key that is older than the rotation period, and forget those whose last token is over."""
    now = runtime.clock.now()
    oldest = now - runtime.section(KeysSettings).rotation_period
    async with runtime.reads() as session:
        newest = [await SigningKeyRepository(session).find_newest(purpose) for purpose in KeyPurpose]
    due = [row.purpose for row in newest if row is not None and row.signs_from <= oldest]
    rotated = [await rotate_keys(runtime, runtime.unit(), purpose=purpose) for purpose in due]
    async with runtime.unit() as unit:
        await SigningKeyRepository(unit.session).remove_retired(now)
    return rotated


async def list_keys(runtime: Runtime) -> Sequence[KeyState]:
    """Return the published keys, oldest first."""
    async with runtime.reads() as session:
        rows = await SigningKeyRepository(session).list_verifying(runtime.clock.now())
    return [
        KeyState(
            kid=row.kid,
            purpose=row.purpose,
            algorithm=row.algorithm,
            created_at=row.created_at,
            signs_from=row.signs_from,
            signs_until=row.signs_until,
            verifies_until=row.verifies_until,
        )
        for row in rows
    ]


async def _hand_over(
    runtime: Runtime, unit: Unit, successor: JoseKey, purpose: KeyPurpose, now: datetime
) -> Rotated:
    settings = runtime.section(KeysSettings)
    signs_from = now + settings.publication_lead
    keys = SigningKeyRepository(unit.session)
    retired = await keys.retire(
        purpose,
        signs_until=signs_from,
        verifies_until=signs_from + settings.longest_token_life + CLOCK_SKEW,
    )
    if failpoints.armed:
        await failpoints.reach("keys.rotate.between_writes")
    signs_from = signs_from if retired else now - CLOCK_SKEW
    keys.add(_row(runtime, successor, purpose, now=now, signs_from=signs_from))
    await keys.flush()
    await runtime.get(RevocationLog).append(unit, [f"key:{kid}" for kid in (successor.kid, *retired)])
    event = SigningKeysRotated(
        at=now, purpose=purpose, kid=successor.kid, signs_from=signs_from, retired_kids=tuple(retired)
    )
    await runtime.get(EventBus).emit(event, unit)
    unit.after_commit(partial(_reload_ring, runtime))
    return Rotated(purpose=purpose, kid=successor.kid, signs_from=signs_from, is_new=True)


def _row(
    runtime: Runtime, key: JoseKey, purpose: KeyPurpose, *, now: datetime, signs_from: datetime
) -> SigningKey:
    sealed = runtime.secret.seal(
        PRIVATE_KEY, private_bytes(key), context=key.kid.encode(), entropy=runtime.entropy
    )
    return SigningKey(
        kid=key.kid,
        purpose=purpose,
        algorithm=key.algorithm,
        public_jwk=dict(key.public_jwk),
        sealed_private_key=sealed,
        created_at=now,
        signs_from=signs_from,
    )


async def _generated(runtime: Runtime, algorithm: SigningAlgorithm) -> JoseKey:
    maker = runtime.find(KeyMaker)
    make: Callable[[SigningAlgorithm], JoseKey] = (
        partial(generate_key, rsa_bits=runtime.section(KeysSettings).rsa_bits)
        if maker is None
        else maker.make
    )
    if algorithm is SigningAlgorithm.ES256:
        return make(algorithm)
    return await asyncio.to_thread(make, algorithm)


async def _reload_ring(runtime: Runtime) -> None:
    keyring = runtime.find(Keyring)
    if keyring is not None:
        await keyring.reload()
