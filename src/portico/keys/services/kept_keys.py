"""Keys that outlive the root secret from which they came.

The lasting secret is made once, at random. What an append-only table carries the MACs of is checked by keys of former
root secrets; those are kept when the secret is changed, each sealed under the new one together with how far it reaches.
"""

from collections.abc import Sequence
from typing import Final

from portico.core.crypto import KEY_BYTES, LastingSecret, RootSecret
from portico.db.unit import DatabaseSession, Unit
from portico.keys.repositories import KeptKeyRepository
from portico.keys.types import KeptKey
from portico.runtime import Runtime

LASTING: Final = "lasting"
KEPT_KEY: Final = "keys.kept"
"""The derived key under which kept keys are sealed; the id is the context."""
_REACH_BYTES: Final = 8


async def load_lasting_secret(runtime: Runtime) -> LastingSecret:
    """Return the lasting secret, made now if there is none; of several processes that start at once, one makes it.

    Raises:
        SealBroken: the root secret is not the one under which it is sealed.
    """
    sealed = await _find_lasting(runtime)
    if sealed is None:
        fresh = _sealed(runtime, LASTING, runtime.entropy.bytes(KEY_BYTES))
        async with runtime.unit() as unit:
            kept = KeptKeyRepository(unit.session)
            await kept.keep(LASTING, fresh, runtime.clock.now(), replaces=False)
        sealed = await _find_lasting(runtime) or fresh
    return LastingSecret(runtime.secret.open(KEPT_KEY, sealed, context=LASTING.encode()))


async def keep_key(
    runtime: Runtime, unit: Unit, root: RootSecret, purpose: str, *, until: int | None = None
) -> None:
    """Keep the key of `purpose` of a root secret that is to go, in the open transaction, for numbers up to `until`."""
    id_ = f"{root.id}:{purpose}"
    reach = (0 if until is None else until + 1).to_bytes(_REACH_BYTES)
    sealed = _sealed(runtime, id_, root.key(purpose) + reach)
    await KeptKeyRepository(unit.session).keep(id_, sealed, runtime.clock.now(), replaces=True)


async def list_kept_keys(runtime: Runtime, session: DatabaseSession, *purposes: str) -> Sequence[KeptKey]:
    """Return the keys of former root secrets for these purposes.

    Raises:
        SealBroken: one is sealed under a secret that is not known any more.
    """
    stored = await KeptKeyRepository(session).list_sealed()
    kept = [_opened(runtime, id_, sealed) for id_, sealed in stored if id_ != LASTING]
    return [each for each in kept if each.purpose in purposes]


async def _find_lasting(runtime: Runtime) -> bytes | None:
    async with runtime.reads() as session:
        return await KeptKeyRepository(session).find_sealed(LASTING)


def _sealed(runtime: Runtime, id_: str, plain: bytes) -> bytes:
    return runtime.secret.seal(KEPT_KEY, plain, context=id_.encode(), entropy=runtime.entropy)


def _opened(runtime: Runtime, id_: str, sealed: bytes) -> KeptKey:
    plain = runtime.secret.open(KEPT_KEY, sealed, context=id_.encode())
    root_id, _, purpose = id_.partition(":")
    reach = int.from_bytes(plain[KEY_BYTES:])
    return KeptKey(root_id, purpose, plain[:KEY_BYTES], reach - 1 if reach else None)
