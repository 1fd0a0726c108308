"""The trail after a change of the root secret: keys are kept for what stays, what changes anyway is signed anew."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from portico.audit.canonical import ENTRY_KEY, HEAD_FIELDS, gaps_text, head_mac, state_mac
from portico.audit.checkpoints import CHECKPOINT_KEY
from portico.audit.repositories.chain import STATE_ROW, ChainRepository
from portico.audit.repositories.reading import ChainReader
from portico.audit.services.recording import record
from portico.audit.services.sequencing import chain_at_rest, signed_head, signed_state
from portico.audit.types import Head, SequencerState
from portico.coordination.leases import Lease
from portico.core.crypto import SealBroken, same
from portico.keys.services import keep_key
from portico.runtime import Runtime

RESEALED: Final = "audit.resealed"
BATCH: Final = 500


async def reseal_trail(runtime: Runtime) -> int:
    """Keep the keys of the accepted secrets, and sign the ends of all streams under the present one; return how many.

    Entries under an accepted secret are good up to the newest one that there is now; a later run moves that limit, so
    that whoever forgot a process with the old secret can mend it.

    Raises:
        SealBroken: an end of a stream, or the sequencer's row, is under none of the secrets.
        LeaseTaken: other processes chain without a pause (409).
    """
    async with chain_at_rest(runtime) as lease:
        return await _Resealing(runtime, lease).run()


class _Resealing:
    """One run, under the sequencer's lease."""

    def __init__(self, runtime: Runtime, lease: Lease) -> None:
        self._runtime = runtime
        self._lease = lease
        self._secrets = (runtime.secret, *runtime.secret.accepted)

    async def run(self) -> int:
        count = await self._sign_state()
        after = None
        while heads := await self._next(after):
            after = heads[-1].stream
            count += await self._sign_heads([head for head in heads if self._is_stale(head)])
        await self._keep_keys(count)
        return count

    async def _sign_state(self) -> int:
        async with self._runtime.reads() as session:
            state = await ChainRepository(session).state()
        if state is None or self._is_current_state(state):
            return 0
        async with self._runtime.unit() as unit:
            self._lease.fence(unit)
            await ChainRepository(unit.session).advance(state, signed_state(self._runtime.secret, state))
        return 1

    def _is_current_state(self, state: SequencerState) -> bool:
        values = (STATE_ROW, state.watermark, state.links, state.unsigned_until, gaps_text(state.gaps))
        macs = [state_mac(secret, values) for secret in self._secrets]
        return self._is_current("the sequencer's own row", macs, state.mac)

    async def _next(self, after: UUID | None) -> Sequence[Head]:
        async with self._runtime.reads() as session:
            return await ChainRepository(session).list_heads(after, BATCH)

    def _is_stale(self, head: Head) -> bool:
        values = [getattr(head, name) for name in HEAD_FIELDS]
        what = f"the end of stream {head.stream}"
        return not self._is_current(what, [head_mac(secret, values) for secret in self._secrets], head.mac)

    def _is_current(self, what: str, macs: Sequence[bytes], stored: bytes) -> bool:
        """Tell whether it is under the present secret; what is under none was changed, and is not signed anew."""
        if same(macs[0], stored):
            return True
        if any(same(mac, stored) for mac in macs[1:]):
            return False
        raise SealBroken(f"{what} is under none of the secrets")

    async def _sign_heads(self, heads: Sequence[Head]) -> int:
        """Sign ends anew, and have the sequencer sign a checkpoint of each at its next turn."""
        if not heads:
            return 0
        now = self._runtime.clock.now()
        async with self._runtime.unit() as unit:
            self._lease.fence(unit)
            due = [signed_head(self._runtime.secret, replace(head, due_at=now)) for head in heads]
            await ChainRepository(unit.session).put_heads(due)
        return len(heads)

    async def _keep_keys(self, count: int) -> None:
        async with self._runtime.unit() as unit:
            self._lease.fence(unit)
            _, newest = await ChainReader(unit.session).entry_numbers()
            for former in self._runtime.secret.accepted:
                await keep_key(self._runtime, unit, former, ENTRY_KEY, until=max(newest, 0))
                await keep_key(self._runtime, unit, former, CHECKPOINT_KEY)
            if self._runtime.secret.accepted:
                details = {"streams": count, "until": newest, "roots": len(self._runtime.secret.accepted)}
                record(self._runtime, unit, RESEALED, details=details)
