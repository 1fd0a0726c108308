"""One-time tokens: once, for one purpose, until they expire."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from portico.core import failpoints
from portico.core.crypto import SealBroken
from portico.core.errors import PorticoError
from portico.core.failpoints import Failure
from portico.core.ids import new_id
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.tokens.errors import TokenExpired, TokenInvalid, TokenUsed
from portico.tokens.models import OneTimeToken
from portico.tokens.secret_format import new_secret
from portico.tokens.services import OneTimeTokens
from portico.tokens.types import IssuedToken, RedeemedToken, TokenPurpose

pytestmark = pytest.mark.anyio

RESET = TokenPurpose.RESET_PASSWORD
SUBJECT = UUID("019b8d00-0000-7000-8000-00000000000a")
HOUR = timedelta(hours=1)


async def issue(runtime: Runtime, purpose: TokenPurpose = RESET, subject: UUID = SUBJECT) -> IssuedToken:
    return await OneTimeTokens(runtime, runtime.unit()).issue(
        purpose, subject, ttl=HOUR, address="ada@example.com", payload={"claim": "äöü", "n": [1, None]}
    )


async def redeem(runtime: Runtime, secret: str, purpose: TokenPurpose = RESET) -> RedeemedToken:
    async with runtime.unit() as unit:
        return await OneTimeTokens(runtime, unit).redeem(purpose, secret)


async def peek(runtime: Runtime, secret: str, purpose: TokenPurpose = RESET) -> RedeemedToken:
    return await OneTimeTokens(runtime, runtime.unit()).peek(purpose, secret)


async def rows(runtime: Runtime) -> list[OneTimeToken]:
    async with runtime.reads() as session:
        return list((await session.scalars(select(OneTimeToken).order_by(OneTimeToken.id))).all())


async def test_redeem_gives_back_what_was_issued(runtime: Runtime) -> None:
    issued = await issue(runtime)
    redeemed = await redeem(runtime, issued.secret)

    assert redeemed.id == issued.id
    assert (redeemed.subject_id, redeemed.address) == (SUBJECT, "ada@example.com")
    assert redeemed.payload == {"claim": "äöü", "n": [1, None]}
    assert issued.expires_at == runtime.clock.now() + HOUR


@pytest.mark.bar("CHECK-12", "P7", "ASVS-6.5.1")
async def test_redeem_refuses_the_second_time(runtime: Runtime) -> None:
    issued = await issue(runtime)
    await redeem(runtime, issued.secret)

    with pytest.raises(TokenUsed) as refused:
        await redeem(runtime, issued.secret)

    assert (refused.value.status, refused.value.code) == (410, "token_used")


async def test_redeem_leaves_the_token_unspent_when_the_unit_rolls_back(runtime: Runtime) -> None:
    issued = await issue(runtime)
    with pytest.raises(RuntimeError):
        async with runtime.unit() as unit:
            await OneTimeTokens(runtime, unit).redeem(RESET, issued.secret)
            raise RuntimeError

    assert (await redeem(runtime, issued.secret)).id == issued.id


@pytest.mark.bar("P3")
@pytest.mark.parametrize(
    "point",
    ["tokens.redeem.before_write", "tokens.redeem.after_write", "db.unit.before_commit"],
)
async def test_redeem_that_fails_on_the_way_leaves_the_token_unspent(runtime: Runtime, point: str) -> None:
    issued = await issue(runtime)
    failpoints.armed[point] = failpoints.raising()
    with pytest.raises(Failure):
        await redeem(runtime, issued.secret)
    failpoints.armed.clear()

    assert (await redeem(runtime, issued.secret)).id == issued.id


async def test_redeem_needs_an_open_unit(runtime: Runtime) -> None:
    issued = await issue(runtime)
    with pytest.raises(RuntimeError, match="not open"):
        await OneTimeTokens(runtime, runtime.unit()).redeem(RESET, issued.secret)


async def test_expiry_is_decided_by_the_row_and_the_injected_clock(
    runtime: Runtime, clock: FrozenClock
) -> None:
    issued = await issue(runtime)
    clock.advance(HOUR - timedelta(microseconds=1))
    assert (await peek(runtime, issued.secret)).id == issued.id
    clock.advance(timedelta(microseconds=1))
    for use in (peek, redeem):
        with pytest.raises(TokenExpired):
            await use(runtime, issued.secret)


async def test_peek_changes_nothing_however_often(runtime: Runtime) -> None:
    issued = await issue(runtime)
    before = [(row.consumed_at, row.failed_codes, row.expires_at) for row in await rows(runtime)]
    for _ in range(3):
        assert (await peek(runtime, issued.secret)).payload == {"claim": "äöü", "n": [1, None]}

    assert [(row.consumed_at, row.failed_codes, row.expires_at) for row in await rows(runtime)] == before
    await redeem(runtime, issued.secret)
    with pytest.raises(TokenUsed):
        await peek(runtime, issued.secret)


async def test_issue_replaces_what_the_subject_held_for_the_purpose(runtime: Runtime) -> None:
    first, of_other_purpose = await issue(runtime), await issue(runtime, TokenPurpose.VERIFY_EMAIL)
    of_other_subject = await issue(runtime, subject=new_id())
    second = await issue(runtime)

    with pytest.raises(TokenUsed):
        await redeem(runtime, first.secret)
    await redeem(runtime, second.secret)
    await redeem(runtime, of_other_subject.secret)
    await redeem(runtime, of_other_purpose.secret, TokenPurpose.VERIFY_EMAIL)


async def test_issue_may_leave_earlier_tokens_alone(runtime: Runtime) -> None:
    first = await issue(runtime)
    await OneTimeTokens(runtime, runtime.unit()).issue(RESET, SUBJECT, ttl=HOUR, replaces_earlier=False)

    await redeem(runtime, first.secret)


async def test_void_ends_every_token_of_the_purpose(runtime: Runtime) -> None:
    issued, other = await issue(runtime), await issue(runtime, TokenPurpose.VERIFY_EMAIL)
    await OneTimeTokens(runtime, runtime.unit()).void(RESET, SUBJECT)

    with pytest.raises(TokenUsed):
        await redeem(runtime, issued.secret)
    await redeem(runtime, other.secret, TokenPurpose.VERIFY_EMAIL)


@pytest.mark.bar("CVE-2026-4325", "CHECK-12", "CHECK-4")
async def test_no_purpose_spends_frees_or_reads_the_token_of_another(runtime: Runtime) -> None:
    issued = {purpose: await issue(runtime, purpose) for purpose in TokenPurpose}
    for mine in TokenPurpose:
        for other in set(TokenPurpose) - {mine}:
            for use in (peek, redeem):
                with pytest.raises(TokenInvalid):
                    await use(runtime, issued[mine].secret, other)
    for mine in TokenPurpose:
        await redeem(runtime, issued[mine].secret, mine)
    for mine in TokenPurpose:
        for other in TokenPurpose:
            with pytest.raises(TokenUsed if mine is other else TokenInvalid):
                await redeem(runtime, issued[mine].secret, other)


@pytest.mark.bar("CVE-2026-27840")
async def test_altered_unknown_and_foreign_secrets_are_all_invalid(runtime: Runtime) -> None:
    issued = await issue(runtime)
    texts = [
        "",
        "x",
        issued.secret[:-1],
        issued.secret + "A",
        issued.secret[4:],
        new_secret(runtime.entropy),
        "\0" * 53,
    ]
    for text in texts:
        for use in (peek, redeem):
            with pytest.raises(TokenInvalid) as refused:
                await use(runtime, text)
            assert (refused.value.status, refused.value.code) == (400, "token_invalid")


@pytest.mark.bar("CHECK-23", "ASVS-11.3.3")
async def test_nothing_stored_can_be_presented_or_read(runtime: Runtime) -> None:
    issued = await OneTimeTokens(runtime, runtime.unit()).issue(
        RESET, SUBJECT, ttl=HOUR, address="ada@example.com", with_code=True, payload={"claim": "canary-value"}
    )
    (row,) = await rows(runtime)
    stored = b"|".join(str(getattr(row, column.key)).encode() for column in OneTimeToken.__table__.columns)
    stored += row.secret_hash + (row.code_hash or b"") + (row.sealed_payload or b"")

    assert issued.code is not None
    for secret in (issued.secret, issued.secret[4:], issued.code, "canary-value"):
        assert secret.encode() not in stored
    assert issued.code not in repr(issued)
    assert issued.secret not in repr(issued)


@pytest.mark.bar("ASVS-11.3.3")
async def test_payload_moved_to_another_row_does_not_open(runtime: Runtime) -> None:
    first, second = await issue(runtime), await issue(runtime, subject=new_id())
    sealed = {row.id: row.sealed_payload for row in await rows(runtime)}
    async with runtime.unit() as unit:
        move = (
            update(OneTimeToken).where(OneTimeToken.id == second.id).values(sealed_payload=sealed[first.id])
        )
        await unit.session.execute(move)

    with pytest.raises(SealBroken):
        await redeem(runtime, second.secret)


@pytest.mark.bar("P7", "CHECK-12")
@pytest.mark.parametrize("delay", [0.0, 0.005])
async def test_fifty_racers_redeem_once(runtime: Runtime, delay: float) -> None:
    issued = await issue(runtime)
    failpoints.armed["tokens.redeem.before_write"] = failpoints.delaying(delay)
    outcomes = await asyncio.gather(
        *(redeem(runtime, issued.secret) for _ in range(50)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes if not isinstance(outcome, PorticoError)] == [RedeemedToken]
    assert {type(outcome) for outcome in outcomes} == {RedeemedToken, TokenUsed}


async def test_sweep_forgets_only_what_expired_before(runtime: Runtime, clock: FrozenClock) -> None:
    old = await issue(runtime)
    clock.advance(HOUR)
    young = await issue(runtime, subject=new_id())
    tokens = OneTimeTokens(runtime, runtime.unit())
    swept = await tokens.sweep(clock.now() + timedelta(seconds=1))

    assert swept == 1
    assert [row.id for row in await rows(runtime)] == [young.id]
    with pytest.raises(TokenInvalid):
        await redeem(runtime, old.secret)
