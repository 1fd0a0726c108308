"""Kinds of acts are kept for their own time, and what is left of the others still proves the rest."""

import json
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import delete, select, update

from portico.audit.checkpoints import CheckpointKey
from portico.audit.keeping import Keeping, KeptClass
from portico.audit.models import AuditEntry, AuditLetGo, AuditLink, AuditPersonal
from portico.audit.repositories import ChainReader
from portico.audit.services import record
from portico.audit.services.exporting import Export, Stretch
from portico.audit.services.retention import prune_if_allowed, retention
from portico.audit.services.verifying_exports import verify_lines
from portico.audit.settings import AuditSettings
from portico.audit.types import PLATFORM
from portico.core.crypto import RootSecret
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.audit.trail import NORTH, act, chain, verdict
from tests.sessions.people import rows_of

pytestmark = [pytest.mark.anyio, pytest.mark.bar("ASVS-14.2.7", "ASVS-16.4.2")]

DAY = timedelta(days=1)
ACTIONS = ("session.created", "session.admin.ended", "role.granted", "user.created")


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "audit": {
            "keep": timedelta(days=100),
            "keep_actions": {"session.": 30 * DAY, "session.admin.": 60 * DAY, "role.": 200 * DAY},
        }
    }


async def a_year(runtime: Runtime, clock: FrozenClock) -> None:
    """Write one entry of each kind every ten days, in two streams, chained and signed as the time goes."""
    for _ in range(26):
        async with runtime.unit() as unit:
            for action, stream in product(ACTIONS, (None, NORTH)):
                record(runtime, unit, action, organization_id=stream, personal={"email": "a@b.example"})
        await chain(runtime)
        clock.advance(10 * DAY)
        await chain(runtime)


async def ages(runtime: Runtime, clock: FrozenClock) -> dict[str, int]:
    """Return the age of the oldest entry of each kind in days."""
    found: dict[str, int] = {}
    for row in await rows_of(runtime, AuditEntry):
        if row.action in ACTIONS:
            found[row.action] = max(found.get(row.action, 0), (clock.now() - row.at).days)
    return found


async def test_each_kind_stays_for_its_time_and_the_rest_is_proven(
    runtime: Runtime, clock: FrozenClock
) -> None:
    await a_year(runtime, clock)
    gone = await prune_if_allowed(runtime)
    again = await prune_if_allowed(runtime)
    await chain(runtime)
    found = await verdict(runtime)

    assert await ages(runtime, clock) == {
        "session.created": 30, "session.admin.ended": 60, "user.created": 100, "role.granted": 210,
    }  # fmt: skip
    assert found.faults == []
    assert (found.pruned > 0, found.let_go > 0, again) == (True, True, 0)
    # Up to a checkpoint signed before the longest time was over, all; of the rest, by the digest.
    assert gone == found.pruned + found.let_go
    left = {row.id for row in await rows_of(runtime, AuditEntry)}
    assert {row.entry_id for row in await rows_of(runtime, AuditPersonal)} <= left


async def test_what_was_let_go_goes_with_the_rest_in_the_end(runtime: Runtime, clock: FrozenClock) -> None:
    await a_year(runtime, clock)
    await prune_if_allowed(runtime)
    await chain(runtime)
    clock.advance(DAY)
    await chain(runtime)  # what retention told of itself is signed, too
    clock.advance(365 * DAY)
    await chain(runtime)
    await prune_if_allowed(runtime)
    await chain(runtime)
    found = await verdict(runtime)

    assert (found.faults, found.let_go) == ([], 0)
    assert await rows_of(runtime, AuditLetGo) == []


async def tampered(runtime: Runtime, *statements: Any) -> bool:
    """Do this to the database; tell whether verification finds it."""
    async with runtime.unit() as unit:
        for statement in statements:
            await unit.session.execute(statement)
    return not (await verdict(runtime)).is_sound


@pytest.mark.parametrize("column", ["leaf", "signature"])
async def test_a_digest_that_was_changed_is_found(runtime: Runtime, clock: FrozenClock, column: str) -> None:
    await a_year(runtime, clock)
    await prune_if_allowed(runtime)
    one = (await rows_of(runtime, AuditLetGo))[0]
    spoiled = bytes([getattr(one, column)[0] ^ 1]) + getattr(one, column)[1:]

    where = AuditLetGo.link == one.link
    assert await tampered(runtime, update(AuditLetGo).where(where).values({column: spoiled}))


async def test_the_time_of_it_and_its_row_belong_to_it(runtime: Runtime, clock: FrozenClock) -> None:
    await a_year(runtime, clock)
    await prune_if_allowed(runtime)
    one, other, *_ = await rows_of(runtime, AuditLetGo)

    assert await tampered(
        runtime, update(AuditLetGo).where(AuditLetGo.link == one.link).values(at=one.at + DAY)
    )
    assert (
        await tampered(runtime, update(AuditLetGo).where(AuditLetGo.link == one.link).values(at=one.at))
        is False
    )
    assert await tampered(runtime, delete(AuditLetGo).where(AuditLetGo.link == other.link))


async def leaf_of(runtime: Runtime, link: int) -> bytes:
    """Return the digest of an entry as anybody can compute it who has the row."""
    async with runtime.reads() as session:
        for stream in (PLATFORM, NORTH):
            for each in await ChainReader(session).list_stream(stream, 0, 10_000):
                if each.seq == link and each.entry is not None:
                    return each.entry.leaf
    raise LookupError(link)


async def test_who_deletes_an_entry_cannot_write_that_we_did(runtime: Runtime, clock: FrozenClock) -> None:
    """Everything but the key is known: digest, place, the form of the row."""
    await a_year(runtime, clock)
    await prune_if_allowed(runtime)
    await chain(runtime)
    victim = (await rows_of(runtime, AuditEntry))[-1]
    link = next(row for row in await rows_of(runtime, AuditLink) if row.entry_id == victim.id)
    model = (await rows_of(runtime, AuditLetGo))[0]
    forged = {
        "link": link.seq,
        "leaf": await leaf_of(runtime, link.seq),
        "at": model.at,
        "signature": model.signature,
    }

    assert await tampered(
        runtime,
        delete(AuditPersonal).where(AuditPersonal.entry_id == victim.id),
        delete(AuditEntry).where(AuditEntry.id == victim.id),
        AuditLetGo.__table__.insert().values(forged),  # type: ignore[attr-defined]
    )


async def test_an_entry_that_was_changed_is_not_let_go(runtime: Runtime, clock: FrozenClock) -> None:
    await a_year(runtime, clock)
    async with runtime.unit() as unit:
        first = (
            select(AuditEntry.seq).where(AuditEntry.action == "user.created").order_by(AuditEntry.seq.desc())
        )
        spoiled = await unit.session.scalar(first.limit(1))
        await unit.session.execute(
            update(AuditEntry).where(AuditEntry.seq == spoiled).values(reason="another")
        )
    clock.advance(120 * DAY)
    await prune_if_allowed(runtime)
    found = await verdict(runtime)

    assert [fault.what for fault in found.faults] == ["the entry was changed"]


async def exported(runtime: Runtime) -> list[str]:
    return [line async for line in Export(runtime, Stretch()).json_lines()]


async def test_an_export_proves_itself_across_it(runtime: Runtime, clock: FrozenClock) -> None:
    await a_year(runtime, clock)
    await prune_if_allowed(runtime)
    await chain(runtime)
    public = CheckpointKey(runtime.secret).public
    lines = await exported(runtime)
    found = verify_lines(lines, public)
    foreign = verify_lines(lines, CheckpointKey(RootSecret(b"f" * 32)).public)

    assert (found.faults, found.let_go > 0) == ([], True)
    assert not foreign.is_sound


async def test_an_export_out_of_which_an_entry_was_taken_is_found(
    runtime: Runtime, clock: FrozenClock
) -> None:
    """The digest of what is there is known to whoever reads the export; the signature is not."""
    await a_year(runtime, clock)
    await prune_if_allowed(runtime)
    await chain(runtime)
    lines = await exported(runtime)
    at = next(number for number, line in enumerate(lines) if '"let_go"' in line)
    model = json.loads(lines[at])
    victim = next(number for number, line in enumerate(lines) if '"entry"' in line)
    told = json.loads(lines[victim])
    taken = {name: told[name] for name in ("stream", "position", "link", "previous", "hash")}
    leaf = (await leaf_of(runtime, told["link"])).hex()
    lines[victim] = json.dumps({**taken, "let_go": {**model["let_go"], "leaf": leaf}}) + "\n"

    assert not verify_lines(lines, CheckpointKey(runtime.secret).public).is_sound


@pytest.mark.parametrize("batch", [1, 3])
async def test_it_comes_in_batches(
    runtime: Runtime, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr("portico.audit.services.retention.BATCH", batch)
    for _ in range(4):
        await act(runtime)
    await chain(runtime)
    clock.advance(DAY)
    async with retention(runtime) as at_work:
        gone = await at_work.let_go(KeptClass("test.", (), DAY), clock.now())
    await chain(runtime)

    assert gone == 4
    assert (await verdict(runtime)).faults == []


def test_what_is_kept_for_ever_is_never_cut() -> None:
    keeping = Keeping(100 * DAY, {"role.": None, "session.": 5 * DAY})

    assert keeping.longest is None
    assert set(keeping.classes()) == {
        KeptClass("", ("role.", "session."), 100 * DAY),
        KeptClass("session.", (), 5 * DAY),
    }


def test_without_kinds_there_is_nothing_but_the_cut() -> None:
    assert (Keeping(DAY, {}).longest, list(Keeping(DAY, {}).classes())) == (DAY, [])
    assert (Keeping(None, {}).longest, list(Keeping(None, {}).classes())) == (None, [])


@pytest.mark.parametrize("wrong", [{"Session.": "30d"}, {"": "30d"}, {"a%": "30d"}, {"session.": "1h"}])
def test_what_is_no_kind_or_no_time_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        AuditSettings(keep_actions=wrong)  # type: ignore[arg-type]
