"""Hashing passwords: Argon2id in threads of its own, with a bounded queue.

A hash costs some 20 ms of processor and 19 MiB, so it never runs in the event loop, never in the common thread pool,
and never while a connection is held. When more wait than the queue holds, the next one is refused at once: a storm of
sign-ins must not starve what is cheap (DESIGN section 2; RELIABILITY_BAR P24).
"""

import asyncio
import base64
import contextlib
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from portico.core.crypto import digest
from portico.core.entropy import Entropy
from portico.core.settings import Settings
from portico.credentials.errors import HashingBusy, PasswordUnreadable
from portico.credentials.settings import CredentialsSettings
from portico.credentials.types import Verified
from portico.runtime import Runtime

LONGEST_BYTES = 1024
SALT_BYTES = 16
HASH_BYTES = 32
HASH_NICENESS = 10
"""Of 0 to 19; with 10 the event loop gets about nine tenths of a core that both want."""


def readable(password: str) -> bytes:
    """Return the bytes that are hashed: NFC, so that one password typed on two keyboards is one, then UTF-8.

    Raises:
        PasswordUnreadable: over 1,024 bytes, empty, or no Unicode text; before any work is done (400).
    """
    if not password or len(password) > LONGEST_BYTES:
        raise PasswordUnreadable
    try:
        encoded = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        raise PasswordUnreadable from None
    if len(encoded) > LONGEST_BYTES:
        raise PasswordUnreadable
    return encoded


class Passwords:
    """Hashes and compares; one a process, `runtime.get(Passwords)`."""

    def __init__(self, settings: CredentialsSettings, entropy: Entropy, *, threads: int) -> None:
        self._entropy = entropy
        self._argon2 = PasswordHasher(
            time_cost=settings.argon2_passes,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_lanes,
            hash_len=HASH_BYTES,
            salt_len=SALT_BYTES,
            type=Type.ID,
        )
        self._pool = _BoundedPool(threads, settings.hash_queue)
        self._nobody = self._hash_that_nobody_has()

    @classmethod
    def from_runtime(cls, runtime: Runtime) -> "Passwords":
        """Make the hasher of a process."""
        settings = runtime.section(CredentialsSettings)
        threads = settings.hash_threads or threads_for(runtime.settings)
        return cls(settings, runtime.entropy, threads=threads)

    async def hash(self, password: str) -> str:
        """Return the Argon2id hash in PHC form. Hold no connection while waiting for it.

        Raises:
            PasswordUnreadable: over 1,024 bytes or no text (400).
            HashingBusy: the queue is full (503).
        """
        secret, salt = readable(password), self._entropy.bytes(SALT_BYTES)
        return await self._pool.run(lambda: self._argon2.hash(secret, salt=salt))

    async def verify(self, password_hash: str | None, password: str) -> Verified:
        """Compare a password with a hash; without a hash it costs the same and fails (CVE-2024-39329).

        Raises:
            PasswordUnreadable: over 1,024 bytes or no text (400).
            HashingBusy: the queue is full (503).
        """
        secret = readable(password)
        compared = password_hash or self._nobody
        ok = await self._pool.run(lambda: self._matches(compared, secret))
        if password_hash is None or not ok:
            return Verified(ok=False)
        return Verified(ok=True, needs_rehash=self._argon2.check_needs_rehash(password_hash))

    async def close(self) -> None:
        """Let the threads go; what waits in the queue is given up."""
        await asyncio.to_thread(self._pool.close)

    def _matches(self, password_hash: str, secret: bytes) -> bool:
        try:
            return self._argon2.verify(password_hash, secret)
        except (VerificationError, InvalidHashError):
            return False

    def _hash_that_nobody_has(self) -> str:
        # Written, not computed: random bytes stand where the hash would, so that the start costs nothing.
        settings = self._argon2
        salt, tag = digest(self._entropy.bytes(32))[:SALT_BYTES], self._entropy.bytes(HASH_BYTES)
        costs = f"m={settings.memory_cost},t={settings.time_cost},p={settings.parallelism}"
        phc = f"$argon2id$v=19${costs}${_b64(salt)}${_b64(tag)}"
        extract_parameters(phc)
        return phc


def threads_for(settings: Settings) -> int:
    """Return how many threads may hash: the cores of this machine, shared by the workers, at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // settings.workers)


def _yield_to_the_event_loop() -> None:
    """Let the system prefer the other threads: whoever waits for a hash waits long anyway, nobody else should.

    Linux has a priority for each thread; elsewhere it is the process's, which stays as it is.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), HASH_NICENESS)


class _BoundedPool:
    """Threads, and a count of what runs and waits; full means no."""

    def __init__(self, threads: int, queue: int) -> None:
        self._executor = ThreadPoolExecutor(
            max_workers=threads, thread_name_prefix="portico-hash", initializer=_yield_to_the_event_loop
        )
        self._free = threading.BoundedSemaphore(threads + queue)

    async def run[T](self, work: Callable[[], T]) -> T:
        if not self._free.acquire(blocking=False):
            raise HashingBusy(retry_after=1)
        try:
            future = self._executor.submit(work)
        except RuntimeError:
            self._free.release()
            raise HashingBusy(retry_after=5) from None
        # Given back when the thread is done, not when the waiting request is: a cancelled one still burns a core.
        future.add_done_callback(self._done)
        return await asyncio.wrap_future(future)

    def _done(self, future: "Future[Any]") -> None:
        self._free.release()

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


def _b64(value: bytes) -> str:
    return base64.b64encode(value).rstrip(b"=").decode()
