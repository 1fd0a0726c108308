"""DPoP proofs that were shown lately: each counts once (RFC 9449, section 11.1).

A proof is good for about a minute, and for one method, address and token; so long it is remembered. In a Portico the
database remembers, for all nodes; elsewhere the process does, and another one would take the proof once more.
"""

from collections import OrderedDict
from typing import Final, Protocol

from portico.oauth.pipeline.asks import Once
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc9449_dpop import Proof
from portico.oauth.services.once import spend
from portico.resource_server.errors import ServerUnavailable
from portico.runtime import Runtime

MAX_REMEMBERED: Final = 100_000
LOOKED_AT: Final = 4
"""How many are looked at for each that comes: what is over leaves faster than it comes."""


class ProofMemory(Protocol):
    """Remembers proofs."""

    async def note(self, proof: Proof, now: float) -> bool:
        """Remember a proof and tell whether it is new.

        Raises:
            ServerUnavailable: there is no room to remember it.
        """
        ...


class SharedProofs:
    """The memory of all nodes, in the database; one write a request."""

    def __init__(self, runtime: Runtime, resource: str) -> None:
        self._runtime = runtime
        self._kind = f"dpop {resource}"

    async def note(self, proof: Proof, now: float) -> bool:
        """Remember a proof and tell whether it is new; of several who show it at once, one is told so."""
        once = Once(self._kind, proof.jkt, proof.jti, proof.remember_until, ErrorCode.INVALID_DPOP_PROOF)
        try:
            async with (unit := self._runtime.unit()):
                await spend(unit, [once])
        except Refused:
            return False
        return True


class OwnProofs:
    """The memory of one process, bounded: when it is full of proofs that are still good, nothing more is taken."""

    def __init__(self, most: int = MAX_REMEMBERED) -> None:
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._most = most

    async def note(self, proof: Proof, now: float) -> bool:
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
