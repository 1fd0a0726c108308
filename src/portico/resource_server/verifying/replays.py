"""DPoP proofs that were shown to this process lately: each counts once (RFC 9449, section 11.1).

A proof is good for about a minute, and for one method, address and token; so long it is remembered here. Another
process would take it once more in that minute.
"""

from collections import OrderedDict
from typing import Final

from portico.oauth.protocol.rfc9449_dpop import Proof
from portico.resource_server.errors import ServerUnavailable

MAX_REMEMBERED: Final = 100_000
LOOKED_AT: Final = 4
"""How many are looked at for each that comes: what is over leaves faster than it comes."""


class ShownProofs:
    """The memory, bounded: when it is full of proofs that are still good, nothing more is taken."""

    def __init__(self, most: int = MAX_REMEMBERED) -> None:
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._most = most

    def note(self, proof: Proof, now: float) -> bool:
        """Remember a proof and tell whether it is new.

        Raises:
            ServerUnavailable: there is no room to remember it.
        """
        self._forget(now)
        key = (proof.jkt, proof.jti)
        if now < self._until.get(key, 0.0):
            return False
        if len(self._until) >= self._most:
            raise ServerUnavailable("too many DPoP proofs in a minute")
        self._until[key] = proof.remember_until
        self._until.move_to_end(key)
        return True

    def _forget(self, now: float) -> None:
        for _ in range(min(LOOKED_AT, len(self._until))):
            key = next(iter(self._until))
            if now < self._until[key]:
                self._until.move_to_end(key)
            else:
                del self._until[key]
