"""Families of refresh tokens: one leaf, an idempotent grace for its parent, an end for everything older."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event, select

from portico.audit.models import AuditEntry
from portico.audit.types import Outcome
from portico.core.crypto import RootSecret
from portico.core.ids import new_id
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.tokens.errors import RefreshTokenInvalid, RefreshTokenReplayed
from portico.tokens.events import RefreshTokenReused
from portico.tokens.models import TokenFamily
from portico.tokens.refresh_format import read_refresh_token, write_refresh_token
from portico.tokens.services import TokenFamilies
from portico.tokens.types import FamilyEnd, RefreshToken, Rotation, RotationOutcome

pytestmark = pytest.mark.anyio

SESSION = UUID("019b8d00-0000-7000-8000-00000000000a")
IDLE, ABSOLUTE, GRACE = timedelta(days=7), timedelta(days=30), timedelta(seconds=10)
MOMENT = timedelta(microseconds=1)


def engine(runtime: Runtime) -> TokenFamilies:
    return TokenFamilies(runtime, runtime.unit())


async def start(runtime: Runtime, session_id: UUID = SESSION) -> RefreshToken:
    return await engine(runtime).start(session_id=session_id, idle=IDLE, absolute=ABSOLUTE)


async def rotate(runtime: Runtime, token: str, grace: timedelta = GRACE) -> Rotation:
    return await engine(runtime).rotate(token, grace=grace, idle=IDLE)


async def row_of(runtime: Runtime) -> TokenFamily:
    async with runtime.reads() as session:
        return (await session.scalars(select(TokenFamily))).one()


async def entries(runtime: Runtime) -> list[AuditEntry]:
    async with runtime.reads() as session:
        return list((await session.scalars(select(AuditEntry))).all())


async def assert_ended(runtime: Runtime, *tokens: str) -> None:
    for token in tokens:
        with pytest.raises(RefreshTokenInvalid):
            await rotate(runtime, token)


async def test_rotate_gives_the_child_and_moves_the_idle_limit(runtime: Runtime, clock: FrozenClock) -> None:
    first = await start(runtime)
    clock.advance(timedelta(days=1))
    rotation = await rotate(runtime, first)

    assert rotation.outcome is RotationOutcome.ROTATED
    assert rotation.refresh_token != first
    assert (rotation.family.session_id, rotation.family.client_id, rotation.family.counter) == (
        SESSION,
        "portico",
        1,
    )
    assert rotation.family.idle_expires_at == clock.now() + IDLE
    assert rotation.family.absolute_expires_at == rotation.family.created_at + ABSOLUTE
    assert (await rotate(runtime, rotation.refresh_token)).family.counter == 2


@pytest.mark.bar("P5", "CHECK-8")
async def test_parent_within_the_grace_gets_the_same_child_and_writes_nothing(
    runtime: Runtime, clock: FrozenClock, reused: list[RefreshTokenReused]
) -> None:
    first = await start(runtime)
    child = (await rotate(runtime, first)).refresh_token
    before = (await row_of(runtime)).__dict__.copy()
    clock.advance(GRACE - MOMENT)
    again = await rotate(runtime, first)

    assert (again.outcome, again.refresh_token) == (RotationOutcome.REGRANTED, child)
    after = (await row_of(runtime)).__dict__
    assert {key: after[key] for key in after if key[0] != "_"} == {
        key: before[key] for key in before if key[0] != "_"
    }
    assert reused == []


@pytest.mark.bar("P6", "CHECK-8", "R8")
async def test_parent_after_the_grace_ends_the_family(
    runtime: Runtime, clock: FrozenClock, reused: list[RefreshTokenReused]
) -> None:
    first = await start(runtime)
    child = (await rotate(runtime, first)).refresh_token
    clock.advance(GRACE)

    with pytest.raises(RefreshTokenReplayed) as refused:
        await rotate(runtime, first)

    assert (refused.value.status, refused.value.code) == (401, "refresh_token_reused")
    row = await row_of(runtime)
    assert (row.ended_at, row.ended_reason) == (clock.now(), FamilyEnd.REPLAYED)
    assert [(one.family_id, one.session_id, one.generations_behind) for one in reused] == [
        (row.id, SESSION, 1)
    ]
    (entry,) = await entries(runtime)
    assert (entry.action, entry.outcome, entry.session_id) == (
        "refresh_token.reused",
        Outcome.REFUSED,
        SESSION,
    )
    assert (entry.subject_type, entry.subject_id) == ("token_family", row.id)
    await assert_ended(runtime, first, child)
    assert len(reused) == 1


@pytest.mark.bar("DOT-1617", "P6", "CHECK-8")
@pytest.mark.parametrize("generation", [0, 1, 2])
async def test_grandparent_ends_the_family_even_within_the_grace(runtime: Runtime, generation: int) -> None:
    tokens = [await start(runtime)]
    for _ in range(4):
        tokens.append((await rotate(runtime, tokens[-1])).refresh_token)

    with pytest.raises(RefreshTokenReplayed):
        await rotate(runtime, tokens[generation])

    await assert_ended(runtime, *tokens)


@pytest.mark.bar("P5")
async def test_without_a_grace_the_parent_ends_the_family_at_once(
    runtime: Runtime, clock: FrozenClock
) -> None:
    first = await start(runtime)
    await rotate(runtime, first, grace=timedelta(0))
    clock.jump(-timedelta(seconds=30))  # another node, whose clock is behind

    with pytest.raises(RefreshTokenReplayed):
        await rotate(runtime, first, grace=timedelta(0))


@pytest.mark.bar("ASVS-7.3.1", "R8")
async def test_family_dies_of_idleness(runtime: Runtime, clock: FrozenClock) -> None:
    first = await start(runtime)
    clock.advance(IDLE - MOMENT)
    child = (await rotate(runtime, first)).refresh_token
    clock.advance(IDLE)

    await assert_ended(runtime, child, first)
    assert (await row_of(runtime)).ended_reason is None


@pytest.mark.bar("ASVS-7.3.2")
async def test_no_rotation_extends_the_absolute_limit(runtime: Runtime, clock: FrozenClock) -> None:
    token = await start(runtime)
    for _ in range(5):
        clock.advance(timedelta(days=6) - MOMENT)
        token = (await rotate(runtime, token)).refresh_token
    clock.advance(5 * MOMENT)

    await assert_ended(runtime, token)


async def test_expired_parent_is_no_replay(
    runtime: Runtime, clock: FrozenClock, reused: list[object]
) -> None:
    first = await start(runtime)
    await rotate(runtime, first)
    clock.advance(ABSOLUTE)

    await assert_ended(runtime, first)
    assert reused == []
    assert await entries(runtime) == []


@pytest.mark.bar("CVE-2026-27840", "CHECK-8")
async def test_what_is_no_token_of_ours_reaches_no_database(runtime: Runtime) -> None:
    token = await start(runtime)
    forged = write_refresh_token(
        RootSecret(b"f" * 32), read_refresh_token(runtime.secret, token).family_id, 0
    )
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    for one in (runtime.database.reader, runtime.database.writer):
        event.listen(one.sync_engine, "before_cursor_execute", note)
    for text in ("", token[:-1], token + "A", token[4:], forged, "ptk_" + token[4:], "\0" * 80, "é" * 80):
        with pytest.raises(RefreshTokenInvalid) as refused:
            await rotate(runtime, text)
        with pytest.raises(RefreshTokenInvalid):
            await engine(runtime).family_of(text)
        assert (refused.value.status, refused.value.code) == (401, "refresh_token_invalid")

    assert statements == []


async def test_genuine_token_of_an_unknown_family_or_the_future_is_invalid(
    runtime: Runtime, reused: list[object]
) -> None:
    token = await start(runtime)
    family_id = read_refresh_token(runtime.secret, token).family_id
    future = write_refresh_token(runtime.secret, family_id, 1)
    nowhere = write_refresh_token(runtime.secret, new_id(), 0)

    await assert_ended(runtime, future, nowhere)
    assert reused == []
    assert (await rotate(runtime, token)).refresh_token == future


async def test_rotation_is_one_statement_when_all_is_well(runtime: Runtime) -> None:
    token = await start(runtime)
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    event.listen(runtime.database.writer.sync_engine, "before_cursor_execute", note)
    await rotate(runtime, token)

    assert [statement.split()[0] for statement in statements if not statement.startswith("BEGIN")] == [
        "UPDATE"
    ]


async def test_rotation_joins_the_transaction_that_is_open(runtime: Runtime) -> None:
    token = await start(runtime)
    with pytest.raises(LookupError):
        async with runtime.unit() as unit:
            await TokenFamilies(runtime, unit).rotate(token, grace=GRACE, idle=IDLE)
            raise LookupError

    assert (await rotate(runtime, token)).outcome is RotationOutcome.ROTATED


async def test_replay_is_kept_when_the_unit_is_the_callers(runtime: Runtime, clock: FrozenClock) -> None:
    token = await start(runtime)
    await rotate(runtime, token)
    clock.advance(GRACE)
    with pytest.raises(RefreshTokenReplayed):
        async with runtime.unit() as unit:
            await TokenFamilies(runtime, unit).rotate(token, grace=GRACE, idle=IDLE)

    assert (await row_of(runtime)).ended_reason is FamilyEnd.REPLAYED


@pytest.mark.bar("P6", "CVE-2026-43983")
async def test_revoke_ends_the_families_of_the_session_only(runtime: Runtime) -> None:
    other_session = new_id()
    first, second, other = await start(runtime), await start(runtime), await start(runtime, other_session)
    child = (await rotate(runtime, first)).refresh_token
    ended = await engine(runtime).revoke(session_id=SESSION)

    assert ended == 2
    await assert_ended(runtime, first, child, second)
    assert await engine(runtime).revoke(session_id=SESSION) == 0
    assert (await rotate(runtime, other)).family.session_id == other_session


async def test_revoke_many_and_grants(runtime: Runtime) -> None:
    sessions = [new_id(), new_id()]
    tokens = [await start(runtime, one) for one in sessions]
    grant = new_id()
    granted = await engine(runtime).start(
        grant_id=grant, client_id="cli", scope="read", idle=IDLE, absolute=ABSOLUTE
    )
    family = await engine(runtime).family_of(granted)

    assert (family.session_id, family.grant_id, family.client_id, family.scope) == (
        None,
        grant,
        "cli",
        "read",
    )
    assert await engine(runtime).revoke_many(session_ids=sessions) == 2
    assert await engine(runtime).revoke_grants(grant_ids=[grant]) == 1
    assert await engine(runtime).revoke_many(session_ids=[]) == 0
    await assert_ended(runtime, *tokens, granted)


async def test_family_of_knows_every_generation_and_reads_only(runtime: Runtime) -> None:
    first = await start(runtime)
    child = (await rotate(runtime, first)).refresh_token
    families = [await engine(runtime).family_of(token) for token in (first, child)]

    assert families[0] == families[1]
    assert families[0].is_live(runtime.clock.now())
    assert families[0].counter == 1


@pytest.mark.bar("CHECK-23")
async def test_nothing_stored_can_be_presented(runtime: Runtime) -> None:
    token = await start(runtime)
    row = await row_of(runtime)
    stored = "|".join(str(getattr(row, column.key)) for column in TokenFamily.__table__.columns)

    assert token[4:] not in stored
    assert all(token[start : start + 24] not in stored for start in range(4, len(token) - 24))


async def test_sweep_forgets_what_is_over_and_nothing_else(runtime: Runtime, clock: FrozenClock) -> None:
    revoked, expired = await start(runtime), await start(runtime, new_id())
    await engine(runtime).revoke(session_id=SESSION)
    clock.advance(IDLE)
    living = await start(runtime, new_id())
    swept = await engine(runtime).sweep(clock.now() + MOMENT)

    assert swept == 2
    await assert_ended(runtime, revoked, expired)
    assert (await rotate(runtime, living)).outcome is RotationOutcome.ROTATED
