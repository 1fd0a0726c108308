"""Ids that are good once: the `jti` of assertions, proofs and grants (RFC 7523, section 3; RFC 9449, 11.1).

In the same table stand single access tokens that were revoked before their time.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from portico.core.crypto import digest
from portico.db.unit import DatabaseSession, Unit
from portico.oauth.pipeline.asks import Once
from portico.oauth.protocol.refusals import Refused
from portico.oauth.repositories import SpentIdRepository

REVOKED = "revoked"
"""The kind under which revoked access tokens are kept."""


async def spend(unit: Unit, ids: Iterable[Once]) -> None:
    """Note the ids in the open transaction; of those who show the same one at once, one succeeds, on every node.

    Raises:
        Refused: one was shown before; nothing of this transaction stays.
    """
    repository = SpentIdRepository(unit.session)
    for each in ids:
        until = datetime.fromtimestamp(each.remember_until, UTC)
        if not await repository.spend(hash_of(each.kind, each.owner, each.jti), until):
            raise Refused(each.error, "it was used before", f"{each.kind} {each.jti[:80]}")


async def was_spent(session: DatabaseSession, kind: str, owner: str, jti: str) -> bool:
    """Tell whether an id was noted."""
    return await SpentIdRepository(session).exists(hash_of(kind, owner, jti))


def hash_of(kind: str, owner: str, jti: str) -> bytes:
    """Return under what an id is kept; 32 bytes."""
    return digest(f"{kind}\0{owner}\0{jti}")
