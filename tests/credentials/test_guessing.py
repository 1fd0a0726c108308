"""Guessing is slowed and stopped; knowing is not."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from portico.core import failpoints
from portico.core.crypto import RootSecret
from portico.core.ids import PrincipalId, UserId, new_id
from portico.credentials.devices import LONGEST_COOKIE, device_cookie, device_known_to
from portico.credentials.errors import (
    HashingBusy,
    InvalidCredentials,
    PasswordIncorrect,
    TooManyAttempts,
)
from portico.credentials.models import GuessCounter
from portico.credentials.passwords import Passwords
from portico.credentials.services import Guessing, PasswordProofs, PasswordRecovery
from portico.credentials.types import GuessRules
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails
from portico.users.addresses import parse_address
from portico.users.services import EmailAddresses
from tests.credentials.acts import (
    ADA,
    OTHER_PASSWORD,
    PASSWORD,
    account_of,
    count,
    measured,
    on_device,
    principal_of,
    register,
    sign_in,
    trail,
)

pytestmark = pytest.mark.anyio


async def guess(runtime: Runtime, identifier: str = ADA, times: int = 1) -> list[type[Exception]]:
    """Try wrong passwords one after another; return how each was refused."""
    refusals: list[type[Exception]] = []
    for number in range(times):
        try:
            await sign_in(runtime, identifier, f"wrong {number}")
        except (InvalidCredentials, TooManyAttempts) as refusal:
            refusals.append(type(refusal))
    return refusals


@pytest.mark.bar("ASVS-16.3.1")
async def test_a_wrong_password_is_in_the_database_although_it_is_refused(runtime: Runtime) -> None:
    await register(runtime)

    with pytest.raises(InvalidCredentials):
        await sign_in(runtime, ADA, "wrong")
    with pytest.raises(InvalidCredentials):
        await sign_in(runtime, "nobody@example.com", "wrong")

    assert await count(runtime, GuessCounter) == 2
    refused = [entry for entry in await trail(runtime) if entry[0] == "password.refused"]
    assert refused == [
        ("password.refused", "refused", "wrong_password"),
        ("password.refused", "refused", "unknown_name"),
    ]


async def test_ten_guesses_are_free_and_the_next_waits(runtime: Runtime, clock: FrozenClock) -> None:
    await register(runtime)

    assert await guess(runtime, times=11) == [InvalidCredentials] * 10 + [TooManyAttempts]
    with pytest.raises(TooManyAttempts) as refusal:
        await sign_in(runtime, ADA, PASSWORD)
    assert refusal.value.headers["Retry-After"] == "60"

    clock.advance(timedelta(seconds=61))
    assert (await sign_in(runtime, ADA, PASSWORD)).email == ADA
    assert await guess(runtime, times=11) == [InvalidCredentials] * 10 + [TooManyAttempts]


async def test_each_further_guess_waits_twice_as_long_up_to_an_hour(
    runtime: Runtime, clock: FrozenClock
) -> None:
    await register(runtime)
    await guess(runtime, times=10)
    waits = []

    for _ in range(9):
        with pytest.raises(TooManyAttempts) as refusal:
            await sign_in(runtime, ADA, PASSWORD)
        waits.append(refusal.value.retry_after)
        clock.advance(timedelta(seconds=refusal.value.retry_after))
        assert await guess(runtime) == [InvalidCredentials]

    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


@pytest.mark.bar("CHECK-14", "N5", "ASVS-6.3.1", "P39")
async def test_strangers_never_get_a_hundred_guesses(runtime: Runtime, clock: FrozenClock) -> None:
    await register(runtime)
    async with measured(runtime) as work:
        for _ in range(100):
            await guess(runtime)
            clock.advance(timedelta(hours=2))

    assert work.hashes == 75
    with pytest.raises(TooManyAttempts):
        await sign_in(runtime, ADA, PASSWORD)


@pytest.mark.bar("CHECK-14", "P39", "ASVS-15.4.2")
@pytest.mark.parametrize("delay", [0, 0.005])
async def test_racers_get_no_more_than_the_budget(runtime: Runtime, delay: float) -> None:
    await register(runtime)
    if delay:
        failpoints.armed["credentials.guess.before_reserve"] = failpoints.delaying(delay)
    try:
        async with measured(runtime) as work:
            results = await asyncio.gather(
                *(sign_in(runtime, ADA, f"wrong {n}") for n in range(50)), return_exceptions=True
            )
    finally:
        failpoints.armed.clear()

    assert work.hashes == 10
    refused = [type(result) for result in results]
    assert refused.count(InvalidCredentials) == 10
    assert refused.count(TooManyAttempts) == 40


async def test_many_right_sign_ins_at_once_block_nobody(runtime: Runtime) -> None:
    await register(runtime)

    results = await asyncio.gather(
        *(sign_in(runtime, ADA, PASSWORD) for _ in range(30)), return_exceptions=True
    )

    assert [result for result in results if isinstance(result, BaseException)] == []


@pytest.mark.bar("CHECK-14", "CVE-2025-24806")
async def test_all_names_of_a_person_share_one_budget(runtime: Runtime) -> None:
    await register(runtime, username="ada")
    spellings = [ADA, ADA.upper(), " ada@example.com ", "ada", "ADA"]

    refusals = [refusal for name in spellings * 3 for refusal in await guess(runtime, name)]

    assert refusals == [InvalidCredentials] * 10 + [TooManyAttempts] * 5


@pytest.mark.bar("CHECK-14", "CHECK-15", "ASVS-6.3.8", "CVE-2024-41952")
async def test_names_that_nobody_has_are_blocked_alike(runtime: Runtime) -> None:
    await register(runtime)

    known = await guess(runtime, ADA, times=12)
    for nobody in ("nobody@example.com", "nobody"):
        assert await guess(runtime, nobody, times=12) == known
    with pytest.raises(TooManyAttempts) as one:
        await sign_in(runtime, ADA, "x")
    with pytest.raises(TooManyAttempts) as other:
        await sign_in(runtime, "NOBODY@example.com", "x")

    assert one.value.headers == other.value.headers
    assert one.value.detail == other.value.detail


@pytest.mark.bar("CHECK-15", "ASVS-6.3.8", "CVE-2024-39329")
async def test_unknown_passwordless_and_wrong_cost_the_same(runtime: Runtime) -> None:
    await register(runtime)
    await register(runtime, "federated@example.com")
    federated = await account_of(runtime, "federated@example.com")
    async with runtime.unit() as unit:
        from portico.credentials.repositories import PasswordRepository

        await PasswordRepository(unit.session).take_away(federated.id)
    works = []

    for name in (ADA, "federated@example.com", "nobody@example.com", "nobody", "no such thing @"):
        async with measured(runtime) as work:
            assert await guess(runtime, name) == [InvalidCredentials]
        works.append(work.shape)

    assert works == [works[0]] * len(works)
    assert works[0][1] == 1


@pytest.mark.bar("ASVS-6.1.1", "CHECK-14")
async def test_strangers_cannot_lock_out_a_known_device(runtime: Runtime, clock: FrozenClock) -> None:
    account = await register(runtime)
    _, cookie = device_cookie(runtime.secret, None, account.id, new_id())
    for _ in range(76):
        await guess(runtime)
        clock.advance(timedelta(hours=2))

    with on_device(cookie):
        assert (await sign_in(runtime, ADA, PASSWORD)).id == account.id
        assert await guess(runtime, times=11) == [InvalidCredentials] * 10 + [TooManyAttempts]
    with pytest.raises(TooManyAttempts):
        await sign_in(runtime, ADA, PASSWORD)


@pytest.mark.bar("N5", "CHECK-14")
async def test_a_known_device_is_stopped_too(runtime: Runtime, clock: FrozenClock) -> None:
    account = await register(runtime)
    _, cookie = device_cookie(runtime.secret, None, account.id, new_id())
    with on_device(cookie):
        async with measured(runtime) as work:
            for _ in range(60):
                await guess(runtime)
                clock.advance(timedelta(hours=2))

    assert work.hashes == 25


async def test_a_made_up_device_is_a_stranger(runtime: Runtime, subtests: pytest.Subtests) -> None:
    await register(runtime)
    await guess(runtime, times=10)
    long = "v1." + "A" * 22 + "." + "~" * 50

    for cookie in ("", "v1", "v1..", "v1.x.y", "v2.AAAA.BBBB", "é", "a" * 5000, long):
        with subtests.test(cookie=cookie[:20]), on_device(cookie), pytest.raises(TooManyAttempts):
            await sign_in(runtime, ADA, PASSWORD)


async def test_the_device_of_another_person_is_a_stranger(runtime: Runtime) -> None:
    await register(runtime)
    eve = await register(runtime, "eve@example.com")
    _, cookie = device_cookie(runtime.secret, None, eve.id, new_id())
    await guess(runtime, times=10)

    with on_device(cookie), pytest.raises(TooManyAttempts):
        await sign_in(runtime, ADA, PASSWORD)


@pytest.mark.bar("CHECK-14", "N11")
async def test_recovery_stays_open_and_lets_strangers_in_again(
    runtime: Runtime, clock: FrozenClock, mails: CapturedMails
) -> None:
    await register(runtime)
    await EmailAddresses(runtime, runtime.unit()).verify(mails.last().links[0].partition("token=")[2])
    for _ in range(76):
        await guess(runtime)
        clock.advance(timedelta(hours=2))
    await PasswordRecovery(runtime, runtime.unit()).request_reset(parse_address(ADA))

    token = mails.last(to=ADA).links[0].partition("token=")[2]
    await PasswordRecovery(runtime, runtime.unit()).reset_password(token, OTHER_PASSWORD)

    assert (await sign_in(runtime, ADA, OTHER_PASSWORD)).email == ADA


async def test_an_administrator_can_unlock(runtime: Runtime) -> None:
    account = await register(runtime)
    await guess(runtime, times=10)
    assert await Guessing(runtime).is_blocked(account.id)

    async with runtime.unit() as unit:
        await Guessing(runtime).reset(account.id, unit)

    assert not await Guessing(runtime).is_blocked(account.id)
    assert (await sign_in(runtime, ADA, PASSWORD)).id == account.id


@pytest.mark.bar("ASVS-6.2.3")
async def test_a_session_has_a_budget_of_its_own(runtime: Runtime) -> None:
    account = await register(runtime)
    await guess(runtime, times=11)
    principal = principal_of(account, session_id=new_id())

    for _ in range(10):
        with pytest.raises(PasswordIncorrect):
            await PasswordProofs(runtime, runtime.unit()).prove_again(principal, "wrong")
    with pytest.raises(TooManyAttempts):
        await PasswordProofs(runtime, runtime.unit()).prove_again(principal, PASSWORD)
    other = principal_of(account, session_id=new_id())
    assert (await PasswordProofs(runtime, runtime.unit()).prove_again(other, PASSWORD)).account == account


async def test_a_guess_that_was_never_looked_at_is_given_back(runtime: Runtime) -> None:
    await register(runtime)
    real = runtime.get(Passwords)

    class Busy:
        async def verify(self, password_hash: str | None, password: str) -> Any:
            raise HashingBusy

        async def close(self) -> None:
            await real.close()

    runtime.provide(Passwords, Busy())
    for _ in range(20):
        with pytest.raises(HashingBusy):
            await sign_in(runtime, ADA, PASSWORD)
    runtime.provide(Passwords, real)

    assert await guess(runtime, times=11) == [InvalidCredentials] * 10 + [TooManyAttempts]


async def test_a_password_changed_meanwhile_is_no_proof(runtime: Runtime) -> None:
    account = await register(runtime)
    proofs = PasswordProofs(runtime, unit := runtime.unit())
    proof = await proofs.prove(account, ADA, PASSWORD)
    async with runtime.unit() as other:
        from portico.credentials.repositories import PasswordRepository

        await PasswordRepository(other.session).put(account.id, "$another$", runtime.clock.now())

    with pytest.raises(InvalidCredentials):
        async with unit:
            await proofs.accept(proof)


async def test_an_old_hash_is_replaced_at_sign_in(runtime: Runtime) -> None:
    account = await register(runtime)
    from portico.core.entropy import SystemEntropy
    from portico.credentials.repositories import PasswordRepository
    from portico.credentials.settings import CredentialsSettings

    old = Passwords(CredentialsSettings(argon2_memory_kib=9_216), SystemEntropy(), threads=1)
    async with runtime.unit() as unit:
        await PasswordRepository(unit.session).put(account.id, await old.hash(PASSWORD), runtime.clock.now())

    await sign_in(runtime, ADA, PASSWORD)

    async with runtime.reads() as session:
        stored = await PasswordRepository(session).find_hash(account.id)
    assert stored is not None
    assert "m=8192" in stored
    assert (await sign_in(runtime, ADA, PASSWORD)).id == account.id


async def test_looking_alike_is_not_enough_to_sign_in(runtime: Runtime) -> None:
    await register(runtime, username="modern")

    with pytest.raises(InvalidCredentials):
        await sign_in(runtime, "rnodern", PASSWORD)
    assert (await sign_in(runtime, "MODERN", PASSWORD)).username == "modern"


@pytest.mark.bar("CHECK-23")
async def test_the_table_names_nobody(runtime: Runtime) -> None:
    account = await register(runtime)
    await guess(runtime)
    await guess(runtime, "nobody@example.com")

    async with runtime.reads() as session:
        from sqlalchemy import select

        names = set(await session.scalars(select(GuessCounter.account)))
    assert len(names) == 2
    assert all(len(name) == 32 and account.id.bytes not in name for name in names)


def test_rules_are_the_documented_ones() -> None:
    rules = GuessRules(10, 75, timedelta(minutes=1), timedelta(hours=1))

    assert [rules.delay_after(n) for n in (1, 9)] == [None, None]
    assert [rules.delay_after(n) for n in (10, 11, 16, 99)] == [
        timedelta(minutes=1),
        timedelta(minutes=2),
        timedelta(hours=1),
        timedelta(hours=1),
    ]


SECRET = RootSecret(b"0" * 32)


def _user() -> UserId:
    return UserId(PrincipalId(new_id()))


def test_a_device_is_known_to_the_last_five_people_who_signed_in() -> None:
    people, cookie, device_id = [_user() for _ in range(7)], None, new_id()
    for person in people:
        device_id, cookie = device_cookie(SECRET, cookie, person, new_id())

    assert [device_known_to(SECRET, cookie, person) for person in people] == [None] * 2 + [device_id] * 5
    assert cookie is not None
    assert len(cookie) < LONGEST_COOKIE
    assert device_known_to(RootSecret(b"1" * 32), cookie, people[-1]) is None


@given(st.data())
def test_a_changed_device_cookie_is_unknown(data: st.DataObject) -> None:
    person = _user()
    _, cookie = device_cookie(SECRET, None, person, new_id())
    place = data.draw(st.integers(0, len(cookie) - 1))
    letter = data.draw(st.characters())
    changed = cookie[:place] + letter + cookie[place + 1 :]

    assert changed == cookie or device_known_to(SECRET, changed, person) is None


@given(st.text(max_size=500))
def test_no_cookie_makes_the_reader_fail(cookie: str) -> None:
    assert device_known_to(SECRET, cookie, _user()) is None
    assert device_cookie(SECRET, cookie, _user(), new_id())[1]
