"""Short codes: bound to purpose and address, few tries, one answer to everything that is wrong."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event, func, select

from portico.audit.models import AuditEntry
from portico.core import failpoints
from portico.core.ids import new_id
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.tokens.errors import CodeInvalid, TokenUsed
from portico.tokens.models import OneTimeToken
from portico.tokens.services import OneTimeTokens
from portico.tokens.types import IssuedToken, RedeemedToken, TokenPurpose

pytestmark = pytest.mark.anyio

VERIFY = TokenPurpose.VERIFY_EMAIL
ADDRESS = "ada@example.com"
SUBJECT = UUID("019b8d00-0000-7000-8000-00000000000a")
DAY = timedelta(days=1)


async def issue(
    runtime: Runtime,
    *,
    purpose: TokenPurpose = VERIFY,
    address: str = ADDRESS,
    subject: UUID = SUBJECT,
    replaces_earlier: bool = True,
) -> IssuedToken:
    return await OneTimeTokens(runtime, runtime.unit()).issue(
        purpose, subject, ttl=DAY, address=address, with_code=True, replaces_earlier=replaces_earlier
    )


async def redeem_code(
    runtime: Runtime, code: str | None, *, purpose: TokenPurpose = VERIFY, address: str = ADDRESS
) -> RedeemedToken:
    assert code is not None
    async with runtime.unit() as unit:
        return await OneTimeTokens(runtime, unit).redeem_code(purpose, address, code)


async def redeem(runtime: Runtime, secret: str) -> RedeemedToken:
    async with runtime.unit() as unit:
        return await OneTimeTokens(runtime, unit).redeem(VERIFY, secret)


async def failures(runtime: Runtime) -> list[int]:
    async with runtime.reads() as session:
        return list(
            (await session.scalars(select(OneTimeToken.failed_codes).order_by(OneTimeToken.id))).all()
        )


def wrong(code: str | None, step: int = 1) -> str:
    """Return another code."""
    return f"{(int(code or 0) + step) % 10**8:08d}"


async def test_code_redeems_and_spends_the_link_too(runtime: Runtime) -> None:
    issued = await issue(runtime)
    redeemed = await redeem_code(runtime, issued.code)

    assert (redeemed.id, redeemed.subject_id, redeemed.address) == (issued.id, SUBJECT, ADDRESS)
    with pytest.raises(TokenUsed):
        await redeem(runtime, issued.secret)


async def test_code_is_void_once_the_link_was_used(runtime: Runtime) -> None:
    issued = await issue(runtime)
    await redeem(runtime, issued.secret)

    with pytest.raises(CodeInvalid):
        await redeem_code(runtime, issued.code)


@pytest.mark.bar("ASVS-6.6.2", "CHECK-12")
async def test_code_is_bound_to_purpose_and_address(runtime: Runtime) -> None:
    issued = await issue(runtime)
    other = await issue(runtime, address="eve@example.com", subject=new_id())
    for purpose, address in (
        (TokenPurpose.RESET_PASSWORD, ADDRESS),
        (VERIFY, "eve@example.com"),
        (VERIFY, ""),
    ):
        with pytest.raises(CodeInvalid):
            await redeem_code(runtime, issued.code, purpose=purpose, address=address)

    assert (await redeem_code(runtime, issued.code)).id == issued.id
    assert (await redeem_code(runtime, other.code, address="eve@example.com")).id == other.id


@pytest.mark.bar("ASVS-6.6.3", "CHECK-14")
async def test_five_wrong_tries_void_the_code_and_leave_the_link(runtime: Runtime) -> None:
    issued = await issue(runtime)
    for step in range(1, 6):
        with pytest.raises(CodeInvalid):
            await redeem_code(runtime, wrong(issued.code, step))
    with pytest.raises(CodeInvalid):
        await redeem_code(runtime, issued.code)

    assert await failures(runtime) == [5]
    assert (await redeem(runtime, issued.secret)).id == issued.id


@pytest.mark.bar("ASVS-6.6.3")
async def test_four_wrong_tries_leave_one(runtime: Runtime) -> None:
    issued = await issue(runtime)
    for step in range(1, 5):
        with pytest.raises(CodeInvalid):
            await redeem_code(runtime, wrong(issued.code, step))

    assert (await redeem_code(runtime, issued.code)).id == issued.id


@pytest.mark.bar("ASVS-6.6.3", "CHECK-14", "P7")
async def test_fifty_wrong_racers_get_five_tries_together(runtime: Runtime) -> None:
    issued = await issue(runtime)
    failpoints.armed["tokens.redeem_code.before_write"] = failpoints.delaying(0.002)
    tries = [redeem_code(runtime, wrong(issued.code, step)) for step in range(1, 51)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {CodeInvalid}
    assert await failures(runtime) == [5]


@pytest.mark.bar("P7", "CHECK-12", "ASVS-6.5.1")
@pytest.mark.parametrize("delay", [0.0, 0.005])
async def test_fifty_racers_with_the_right_code_succeed_once(runtime: Runtime, delay: float) -> None:
    issued = await issue(runtime)
    failpoints.armed["tokens.redeem_code.before_write"] = failpoints.delaying(delay)
    tries = [redeem_code(runtime, issued.code) for _ in range(50)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes if not isinstance(outcome, CodeInvalid)] == [RedeemedToken]


@pytest.mark.bar("CHECK-12")
async def test_racers_over_several_codes_of_one_address_neither_stop_each_other_nor_gain_tries(
    runtime: Runtime,
) -> None:
    issued = [await issue(runtime, subject=new_id(), replaces_earlier=False) for _ in range(3)]
    failpoints.armed["tokens.redeem_code.before_write"] = failpoints.delaying(0.002)
    right = [redeem_code(runtime, token.code) for token in issued]
    bad = [redeem_code(runtime, wrong(issued[0].code, step)) for step in range(1, 3)]
    outcomes = await asyncio.gather(*right, *bad, return_exceptions=True)

    assert {outcome.id for outcome in outcomes if isinstance(outcome, RedeemedToken)} == {
        one.id for one in issued
    }
    assert [type(outcome) for outcome in outcomes[3:]] == [CodeInvalid, CodeInvalid]


@pytest.mark.bar("ASVS-6.5.5")
async def test_code_lives_ten_minutes_while_the_link_lives_on(runtime: Runtime, clock: FrozenClock) -> None:
    issued = await issue(runtime)
    assert issued.code_expires_at == clock.now() + timedelta(minutes=10)
    clock.advance(timedelta(minutes=10))

    with pytest.raises(CodeInvalid):
        await redeem_code(runtime, issued.code)
    assert (await redeem(runtime, issued.secret)).id == issued.id


async def test_code_never_outlives_its_link(runtime: Runtime, clock: FrozenClock) -> None:
    issued = await OneTimeTokens(runtime, runtime.unit()).issue(
        VERIFY, SUBJECT, ttl=timedelta(minutes=1), address=ADDRESS, with_code=True
    )
    assert issued.code_expires_at == issued.expires_at
    clock.advance(timedelta(minutes=1))

    with pytest.raises(CodeInvalid):
        await redeem_code(runtime, issued.code)


async def test_malformed_code_costs_no_try(runtime: Runtime) -> None:
    issued = await issue(runtime)
    for text in ("", "abc", "123456789", "x" * 10**6, "１２３４５６７８"):
        with pytest.raises(CodeInvalid):
            await redeem_code(runtime, text)

    assert await failures(runtime) == [0]
    assert (await redeem_code(runtime, issued.code)).id == issued.id


@pytest.mark.bar("CHECK-15")
async def test_unknown_address_costs_the_same_statements_and_a_commit(runtime: Runtime) -> None:
    """The quick form of the timing test: both branches run the same statements and both write."""
    issued = await issue(runtime)
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    async def noted(address: str) -> tuple[list[str], CodeInvalid]:
        statements.clear()
        with pytest.raises(CodeInvalid) as refused:
            await redeem_code(runtime, wrong(issued.code), address=address)
        return list(statements), refused.value

    engine = runtime.database.writer.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    known, unknown = await noted(ADDRESS), await noted("nobody@example.com")
    event.remove(engine, "before_cursor_execute", note)

    assert [one.split()[0] for one in known[0]] == [one.split()[0] for one in unknown[0]]
    assert (known[1].status, known[1].code, known[1].detail) == (
        unknown[1].status,
        unknown[1].code,
        unknown[1].detail,
    )
    async with runtime.reads() as session:
        entries = await session.scalar(
            select(func.count()).where(AuditEntry.action == "one_time_code.refused")
        )
    assert entries == 2
