"""Ids that are good once: the `jti` of assertions, proofs and grants (RFC 7523, section 3; RFC 9449, 11.1)."""

from collections.abc import Iterable
from datetime import UTC, datetime

from portico.core.crypto import digest
from portico.db.unit import Unit
from portico.oauth.pipeline.asks import Once
from portico.oauth.protocol.refusals import Refused
from portico.oauth.repositories import SpentIdRepository


async def spend(unit: Unit, ids: Iterable[Once]) -> None:
    """Note the ids in the open transaction; of those who show the same one at once, one succeeds, on every node.

    Raises:
        Refused: one was shown before; nothing of this transaction stays.
    """
    repository = SpentIdRepository(unit.session)
    for each in ids:
        until = datetime.fromtimestamp(each.remember_until, UTC)
        if not await repository.spend(_hash_of(each), until):
            raise Refused(each.error, "it was used before", f"{each.kind} {each.jti[:80]}")


def _hash_of(once: Once) -> bytes:
    return digest(f"{once.kind}\0{once.owner}\0{once.jti}")
