"""The cache that the revocation log corrects."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from portico.coordination.cache import BoundedCache
from portico.coordination.revocations import EVERYTHING, RevocationLog
from portico.coordination.wakeups import Wakeups
from portico.feature import Feature
from portico.runtime import Runtime

pytestmark = pytest.mark.anyio


@pytest.fixture
def features() -> Sequence[Feature]:
    return ()


@pytest.fixture
def log(runtime: Runtime) -> RevocationLog:
    return runtime.get(RevocationLog)


@pytest.fixture
def cache(log: RevocationLog) -> BoundedCache[str, int]:
    return BoundedCache(log, max_entries=3)


async def keep(cache: BoundedCache[str, int], key: str, value: int, *subjects: str) -> int:
    async def load() -> tuple[int, Sequence[str]]:
        return value, subjects

    return await cache.load(key, load)


async def revoke(log: RevocationLog, runtime: Runtime, subject: str) -> None:
    async with (unit := runtime.unit()):
        await log.append(unit, [subject])


async def test_loaded_value_is_hit(cache: BoundedCache[str, int]) -> None:
    missed = cache.hit("a")
    loaded = await keep(cache, "a", 1)

    assert (missed, loaded, cache.hit("a")) == (None, 1, 1)


@pytest.mark.bar("GHSA-x883-2vmg-xwf7", "ASVS-8.3.2")
async def test_revoked_subject_takes_its_entries_with_it(
    cache: BoundedCache[str, int], log: RevocationLog, runtime: Runtime
) -> None:
    await keep(cache, "a", 1, "session:1", "user:1")
    await keep(cache, "b", 2, "session:2", "user:1")
    await keep(cache, "c", 3, "session:3", "user:2")
    await revoke(log, runtime, "user:1")

    assert [cache.hit(key) for key in "abc"] == [None, None, 3]


@pytest.mark.bar("P34", "ASVS-8.3.2")
async def test_value_that_was_loaded_while_something_was_revoked_is_not_kept(
    cache: BoundedCache[str, int], log: RevocationLog, runtime: Runtime
) -> None:
    is_read, may_return = asyncio.Event(), asyncio.Event()

    async def load() -> tuple[int, Sequence[str]]:
        is_read.set()
        await may_return.wait()
        return 1, ["user:1"]

    loading = asyncio.create_task(cache.load("a", load))
    await is_read.wait()
    await revoke(log, runtime, "user:1")
    may_return.set()

    assert await loading == 1
    assert cache.hit("a") is None


async def test_nothing_is_hit_while_the_log_is_not_trusted(runtime: Runtime) -> None:
    cache: BoundedCache[str, int] = BoundedCache(RevocationLog(runtime, Wakeups()), max_entries=3)
    await keep(cache, "a", 1)

    assert cache.hit("a") is None


async def test_get_loads_once(cache: BoundedCache[str, int]) -> None:
    loads = []

    async def load() -> tuple[int, Sequence[str]]:
        loads.append(1)
        return 1, ()

    assert [await cache.get("a", load), await cache.get("a", load), len(loads)] == [1, 1, 1]


async def test_the_one_not_asked_for_longest_makes_room(cache: BoundedCache[str, int]) -> None:
    for key, value in (("a", 1), ("b", 2), ("c", 3)):
        await keep(cache, key, value, f"user:{key}", "key:1")
    cache.hit("a")
    await keep(cache, "d", 4, "key:1")

    assert [cache.hit(key) for key in "abcd"] == [1, None, 3, 4]
    assert len(cache) == 3


KEYS = st.sampled_from("abcdef")
TAGS = st.lists(st.sampled_from(["user:1", "user:2", "session:1", "key:1"]), max_size=4)
STEPS = st.lists(
    st.one_of(st.tuples(KEYS, TAGS), KEYS, st.sampled_from(["user:1", "key:1", EVERYTHING])), max_size=60
)


@given(STEPS)
def test_tags_and_entries_always_agree(steps: list[tuple[str, list[str]] | str]) -> None:
    """Whatever is kept, dropped and forgotten: every tag leads to living entries, every entry is found by its tags."""
    cache = BoundedCache[str, int](_NoLog(), max_entries=4)  # type: ignore[arg-type]  # only `subscribe` is used
    for step in steps:
        if isinstance(step, tuple):
            cache._keep(step[0], 1, step[1])
        elif step == EVERYTHING or ":" in step:
            cache.forget([step])
        else:
            cache.drop(step)
        tags: dict[str, set[str]] = {}
        for key, (_, subjects) in cache._entries.items():
            for subject in subjects:
                tags.setdefault(subject, set()).add(key)

        assert {tag: keys if isinstance(keys, set) else {keys} for tag, keys in cache._tags.items()} == tags
        assert len(cache) <= 4


class _NoLog:
    def subscribe(self, callback: object) -> None:
        """Hear nothing."""
