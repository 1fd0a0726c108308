"""Hashing: parameters, equality of passwords, the queue, and what is never held meanwhile."""

import asyncio
import time
from typing import Any

import pytest

from portico.core.entropy import SystemEntropy
from portico.core.settings import Settings
from portico.credentials.errors import HashingBusy, PasswordUnreadable
from portico.credentials.passwords import Passwords, threads_for
from portico.credentials.services import PasswordChange, Registration
from portico.credentials.settings import CredentialsSettings
from portico.runtime import Runtime
from portico.testing.mail import CapturedMails
from tests.credentials.acts import ADA, CHEAP, PASSWORD, principal_of, register, sign_in, under, wish

pytestmark = pytest.mark.anyio


def hasher(*, threads: int = 1, **settings: Any) -> Passwords:
    return Passwords(CredentialsSettings(**{**CHEAP, **settings}), SystemEntropy(), threads=threads)


@pytest.mark.bar("ASVS-11.4.2", "N14")
async def test_default_is_argon2id_at_the_parameters_of_owasp() -> None:
    passwords = Passwords(CredentialsSettings(), SystemEntropy(), threads=1)

    hashed = await passwords.hash(PASSWORD)

    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hashed != await passwords.hash(PASSWORD)


SAME = {"composed and decomposed": ("pässword-länge", "pa\u0308ssword-la\u0308nge")}
DIFFERENT = {
    "case": ("correct horse", "Correct horse"),
    "trailing space": ("correct horse", "correct horse "),
    "leading space": ("correct horse", " correct horse"),
    "after 72 bytes": ("a" * 72 + "b", "a" * 72 + "c"),
    "after NUL": ("correct\x00horse", "correct\x00mouse"),
    "compatibility characters": ("\ufb01nd the horse", "find the horse"),
    "last byte of 1,024": ("a" * 1023 + "b", "a" * 1023 + "c"),
}


@pytest.mark.bar("ASVS-6.2.8", "N2")
@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME.keys())
async def test_one_password_typed_in_two_ways_is_one(one: str, other: str) -> None:
    passwords = hasher()

    assert (await passwords.verify(await passwords.hash(one), other)).ok


@pytest.mark.bar("ASVS-6.2.8", "N2")
@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT.keys())
async def test_passwords_are_compared_whole(one: str, other: str) -> None:
    passwords = hasher()
    hashed = await passwords.hash(one)

    assert (await passwords.verify(hashed, one)).ok
    assert not (await passwords.verify(hashed, other)).ok


@pytest.mark.bar("ASVS-6.2.9", "P27")
@pytest.mark.parametrize("password", ["", "a" * 1025, "ä" * 513, "a" * 1_000_000, "a\ud800b"])
async def test_what_is_too_long_or_no_text_is_refused_at_once(password: str) -> None:
    passwords = hasher()
    started = time.perf_counter()

    with pytest.raises(PasswordUnreadable):
        await passwords.hash(password)
    with pytest.raises(PasswordUnreadable):
        await passwords.verify(None, password)

    assert time.perf_counter() - started < 0.05


@pytest.mark.bar("CVE-2024-39329", "CHECK-15")
async def test_nobody_costs_what_somebody_costs() -> None:
    """The hash that nobody has carries the present parameters, so that comparing with it is the same work."""
    passwords = hasher(argon2_memory_kib=9_216, argon2_passes=3)

    assert not (await passwords.verify(None, PASSWORD)).ok
    assert passwords._nobody.startswith("$argon2id$v=19$m=9216,t=3,p=1$")
    assert [len(part) for part in passwords._nobody.split("$")] == [
        len(part) for part in (await passwords.hash(PASSWORD)).split("$")
    ]


@pytest.mark.parametrize("broken", ["", "x", "$argon2id$v=19$m=19456", "$2b$12$abcdefghijklmnopqrstuv"])
async def test_a_broken_hash_matches_nothing(broken: str) -> None:
    assert not (await hasher().verify(broken or "x", PASSWORD)).ok


async def test_other_parameters_ask_for_a_new_hash() -> None:
    old = await hasher(argon2_memory_kib=9_216).hash(PASSWORD)
    today = hasher()

    assert (await today.verify(old, PASSWORD)).needs_rehash
    assert not (await today.verify(await today.hash(PASSWORD), PASSWORD)).needs_rehash


@pytest.mark.bar("ASVS-15.2.2", "P24")
async def test_a_full_queue_is_told_at_once() -> None:
    passwords = hasher(threads=1, hash_queue=1, argon2_memory_kib=65_536, argon2_passes=4)
    waiting = [asyncio.create_task(passwords.hash(PASSWORD)) for _ in range(2)]
    await asyncio.sleep(0.01)
    started = time.perf_counter()

    with pytest.raises(HashingBusy) as refusal:
        await passwords.hash(PASSWORD)

    assert time.perf_counter() - started < 0.05
    assert refusal.value.headers["Retry-After"] == "1"
    await asyncio.gather(*waiting)
    assert await passwords.hash(PASSWORD)


async def test_a_cancelled_hash_keeps_its_place_until_the_thread_is_done() -> None:
    passwords = hasher(threads=1, hash_queue=0, argon2_memory_kib=65_536, argon2_passes=4)
    task = asyncio.create_task(passwords.hash(PASSWORD))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    with pytest.raises(HashingBusy):
        await passwords.hash(PASSWORD)

    await passwords.close()


async def test_the_event_loop_goes_on_while_a_password_is_hashed() -> None:
    passwords = hasher(argon2_memory_kib=65_536, argon2_passes=4)
    task = asyncio.create_task(passwords.hash(PASSWORD))
    turns = 0
    while not task.done():
        await asyncio.sleep(0.001)
        turns += 1

    assert turns > 10


def test_threads_are_shared_among_workers() -> None:
    assert threads_for(Settings(workers=256)) == 1
    assert threads_for(Settings(workers=1)) >= 1


class _Watching:
    """Notes whether a connection was out while the real hasher worked."""

    def __init__(self, runtime: Runtime) -> None:
        self.real = runtime.get(Passwords)
        self._database = runtime.database
        self.seen: list[int] = []

    def _look(self) -> None:
        pools: list[Any] = [self._database.reader.sync_engine.pool, self._database.writer.sync_engine.pool]
        self.seen.append(sum(pool.checkedout() for pool in pools))

    async def hash(self, password: str) -> str:
        self._look()
        hashed = await self.real.hash(password)
        self._look()
        return hashed

    async def verify(self, password_hash: str | None, password: str) -> Any:
        self._look()
        verified = await self.real.verify(password_hash, password)
        self._look()
        return verified

    async def close(self) -> None:
        await self.real.close()


@under(database={"pool_size": 1, "pool_overflow": 0, "readers": 1})
async def test_no_connection_is_held_while_a_password_is_hashed(
    runtime: Runtime, mails: CapturedMails
) -> None:
    watching = _Watching(runtime)
    runtime.provide(Passwords, watching)

    account = await register(runtime)
    await sign_in(runtime, ADA, PASSWORD)
    change = PasswordChange(runtime, runtime.unit())
    await change.change_password(principal_of(account), PASSWORD, "paper clip orange thunder")
    with pytest.raises(Exception, match="name or the password"):
        await sign_in(runtime, ADA, PASSWORD)
    with pytest.raises(Exception, match="name or the password"):
        await sign_in(runtime, "nobody@example.com", PASSWORD)

    assert watching.seen == [0] * len(watching.seen)
    assert len(watching.seen) == 2 * 6


@under(database={"pool_size": 1, "pool_overflow": 0, "readers": 1, "pool_timeout": 2})
async def test_others_write_while_a_password_is_hashed(runtime: Runtime) -> None:
    release = asyncio.Event()
    real = runtime.get(Passwords)

    class Slow:
        async def hash(self, password: str) -> str:
            await release.wait()
            return await real.hash(password)

        async def close(self) -> None:
            await real.close()

    runtime.provide(Passwords, Slow())
    slow = asyncio.create_task(Registration(runtime, runtime.unit()).register(wish()))
    await asyncio.sleep(0.05)

    async with asyncio.timeout(1), runtime.unit():
        pass

    release.set()
    assert await slow is not None
    runtime.provide(Passwords, real)
