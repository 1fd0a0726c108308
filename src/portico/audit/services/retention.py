"""Letting the oldest go, so that what stays can still be proven.

A stream loses its beginning up to a signed checkpoint. Before anything is deleted, the sequencer's key signs that
place once more, as an anchor: a chain that begins behind an anchor was shortened by us, any other was cut by somebody.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from portico.audit.checkpoints import Checkpoint, CheckpointKey
from portico.audit.repositories.chain import ChainRepository
from portico.audit.repositories.retention import RetentionRepository
from portico.audit.services.recording import record
from portico.audit.services.sequencing import LEASE, signed_head
from portico.audit.settings import AuditSettings
from portico.audit.types import PLATFORM, CheckpointKind, Head
from portico.coordination.leases import Lease, Leases
from portico.db.database import Database, database_url
from portico.db.unit import Unit
from portico.runtime import Runtime

log = structlog.get_logger("portico.audit")

BATCH: Final = 1_000
STREAMS: Final = 200
PRUNED = "audit.pruned"


class Retention:
    """Deletes the old beginnings of streams, by the connection of whoever may."""

    def __init__(self, runtime: Runtime, database: Database) -> None:
        self._runtime = runtime
        self._database = database
        self._key = CheckpointKey(runtime.secret)

    async def prune(self, before: datetime) -> int:
        """Delete what was signed before then; return how many entries that were.

        Raises:
            LeaseTaken: the sequencer or another retention is at work (409).
        """
        deleted = 0
        async with self._runtime.get(Leases).hold(LEASE) as lease:
            after = None
            while chosen := await self._chosen(before, after):
                for checkpoint in chosen:
                    deleted += await self._prune_stream(checkpoint, lease)
                after = chosen[-1].stream
        return deleted

    async def _chosen(self, before: datetime, after: UUID | None) -> list[Checkpoint]:
        async with self._runtime.reads() as session:
            return await RetentionRepository(session).list_prunable(before, after, STREAMS)

    async def _prune_stream(self, until: Checkpoint, lease: Lease) -> int:
        await self._anchor(until, lease)
        deleted, batch = 0, BATCH
        while batch >= BATCH:
            lease.refuse_if_lost()
            async with (unit := Unit(self._database)):
                batch = await RetentionRepository(unit.session).remove_until(
                    until.stream, until.position, BATCH
                )
                if batch < BATCH:
                    await RetentionRepository(unit.session).remove_checkpoints_until(
                        until.stream, until.number
                    )
            deleted += batch
        return deleted

    async def _anchor(self, until: Checkpoint, lease: Lease) -> None:
        now = self._runtime.clock.now()
        async with (unit := self._runtime.unit()):
            lease.fence(unit)
            head = await RetentionRepository(unit.session).lock_head(until.stream)
            number = head.checkpoints + 1
            anchor = self._key.sign(
                replace(until, number=number, kind=CheckpointKind.ANCHOR, at=now, signature=b"")
            )
            end = Head(head.stream, head.position, head.hash, number, head.signed_position, head.due_at)
            chain = ChainRepository(unit.session)
            await chain.add_checkpoints([anchor])
            await chain.put_heads([signed_head(self._runtime.secret, end)])
            record(
                self._runtime,
                unit,
                PRUNED,
                organization_id=None if until.stream == PLATFORM else until.stream,
                details={"until_position": until.position, "hash": until.hash.hex()},
            )
        log.info("audit_checkpoint", checkpoint=str(anchor))


@asynccontextmanager
async def retention(runtime: Runtime) -> AsyncIterator[Retention]:
    """Lend a retention that connects as the owner of the tables where one is named: the application may not delete."""
    owner = database_url(runtime.settings, owner=True)
    if owner == runtime.database.url:
        yield Retention(runtime, runtime.database)
        return
    database = Database(owner, runtime.settings.database)
    try:
        yield Retention(runtime, database)
    finally:
        await database.close()


async def prune_if_allowed(runtime: Runtime) -> int:
    """Delete what is older than the settings keep; return how many entries that were."""
    keep = runtime.section(AuditSettings).keep
    if keep is None:
        return 0
    async with retention(runtime) as at_work:
        return await at_work.prune(runtime.clock.now() - keep)
