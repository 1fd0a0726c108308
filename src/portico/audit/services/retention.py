"""Letting the oldest go, so that what stays can still be proven.

A stream loses its beginning up to a signed checkpoint. Before anything is deleted, the sequencer's key signs that
place once more, as an anchor: a chain that begins behind an anchor was shortened by us, any other was cut by somebody.
What is kept for less than the rest goes by itself, and its digest stays, signed, where it stood.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from portico.audit.checkpoints import Checkpoint, CheckpointKey
from portico.audit.keeping import Keeping, KeptClass, signed_let_go
from portico.audit.repositories.chain import ChainRepository
from portico.audit.repositories.raw import lenient
from portico.audit.repositories.retention import RetentionRepository
from portico.audit.services.recording import record
from portico.audit.services.sequencing import LEASE, chain_at_rest, signed_head
from portico.audit.settings import AuditSettings
from portico.audit.trail_keys import TrailKeys
from portico.audit.types import PLATFORM, CheckpointKind, Head, LetGo
from portico.coordination.leases import Lease, Leases
from portico.db.database import Database, database_url
from portico.db.unit import Unit
from portico.runtime import Runtime

log = structlog.get_logger("portico.audit")

BATCH: Final = 1_000
STREAMS: Final = 200
PRUNED, LET_GO = "audit.pruned", "audit.let_go"


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

    async def let_go(self, kept: KeptClass, before: datetime) -> int:
        """Put signed digests in the place of the entries of a class from before then; return how many.

        An entry that does not carry its MAC stays where it is, for the verification to name it.

        Raises:
            LeaseTaken: the sequencer is at work all the time (409).
        """
        done, after, is_more = 0, 0, True
        while is_more:
            async with chain_at_rest(self._runtime) as lease:
                found = await self._over(kept, before, after)
                done += await self._put_in_place([each for each, is_genuine in found if is_genuine], lease)
            is_more = len(found) >= BATCH
            after = found[-1][0].link if found else after
        if done:
            await self._tell(kept, before, done)
        return done

    async def _over(self, kept: KeptClass, before: datetime, after: int) -> list[tuple[LetGo, bool]]:
        """Return what is to stand for entries whose time is over, and whether each carries its MAC."""
        async with self._runtime.reads() as session, lenient(session):
            keys = await TrailKeys.of(self._runtime, session)
            over = await RetentionRepository(session).list_over(kept, before, after, BATCH)
        now = self._runtime.clock.now()
        return [
            (
                LetGo(stream=stream, position=position, link=link, at=now, leaf=entry.leaf),
                entry.is_whole
                and (not entry.is_signed or keys.is_entry_mac(entry.canonical or b"", entry.mac, entry.seq)),
            )
            for stream, position, link, entry in over
        ]

    async def _put_in_place(self, chosen: Sequence[LetGo], lease: Lease) -> int:
        if not chosen:
            return 0
        signed = [replace(each, signature=signed_let_go(self._key, each)) for each in chosen]
        lease.refuse_if_lost()
        async with (unit := Unit(self._database)):
            await RetentionRepository(unit.session).let_go(signed)
        return len(signed)

    async def _tell(self, kept: KeptClass, before: datetime, count: int) -> None:
        details = {"actions": f"{kept.prefix}*", "before": before.isoformat(), "entries": count}
        async with (unit := self._runtime.unit()):
            record(self._runtime, unit, LET_GO, details=details)

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
    settings, now = runtime.section(AuditSettings), runtime.clock.now()
    keeping = Keeping(settings.keep, settings.keep_actions)
    classes, longest, count = list(keeping.classes()), keeping.longest, 0
    if longest is None and not classes:
        return 0
    async with retention(runtime) as at_work:
        if longest is not None:
            count += await at_work.prune(now - longest)
        for each in classes:
            count += await at_work.let_go(each, now - each.keep)
    return count
