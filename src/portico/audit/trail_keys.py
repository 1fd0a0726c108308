"""By which keys the trail is checked: those of the root secret, of secrets accepted besides it, and of former ones.

Entries and checkpoints are never written anew, so keys of former root secrets are kept (`portico keys reseal`), the
one for entries with the last number that may be under it: whoever learns a secret that has gone adds no entry by it.
"""

import hmac
from collections.abc import Iterator, Sequence

from portico.audit.canonical import ENTRY_KEY
from portico.audit.checkpoints import CHECKPOINT_KEY, CheckpointReader, public_half
from portico.core.crypto import RootSecret, same
from portico.db.unit import DatabaseSession
from portico.keys.services import list_kept_keys
from portico.keys.types import KeptKey
from portico.runtime import Runtime


class TrailKeys:
    """Knows what entries and checkpoints may be under."""

    def __init__(self, secret: RootSecret, kept: Sequence[KeptKey] = ()) -> None:
        self._entries = tuple(_entry_keys(secret, kept))
        seeds = [each.key(CHECKPOINT_KEY) for each in (secret, *secret.accepted)]
        seeds += [each.key for each in kept if each.purpose == CHECKPOINT_KEY]
        self.checkpoints = CheckpointReader(*map(public_half, dict.fromkeys(seeds)))

    @classmethod
    async def of(cls, runtime: Runtime, session: DatabaseSession) -> "TrailKeys":
        """Return the keys as they are kept now.

        Raises:
            SealBroken: a kept key is sealed under a secret that is not known any more.
        """
        kept = await list_kept_keys(runtime, session, ENTRY_KEY, CHECKPOINT_KEY)
        return cls(runtime.secret, kept)

    def is_entry_mac(self, canonical: bytes, mac: bytes | None, seq: int) -> bool:
        """Tell whether the entry of this number carries a MAC that it may carry."""
        return isinstance(mac, bytes) and any(
            same(hmac.digest(key, canonical, "sha256"), mac)
            for key, until in self._entries
            if until is None or seq <= until
        )


def _entry_keys(secret: RootSecret, kept: Sequence[KeptKey]) -> Iterator[tuple[bytes, int | None]]:
    """Yield keys and the last number that may be under each; the present one, which nearly all are under, first."""
    yield secret.key(ENTRY_KEY), None
    limits = {each.root_id: each for each in kept if each.purpose == ENTRY_KEY and each.root_id != secret.id}
    for accepted in secret.accepted:
        if accepted.id not in limits:
            yield accepted.key(ENTRY_KEY), None
    for each in limits.values():
        yield each.key, each.until
