"""A cache in the process that the revocation log can correct: bounded, each entry tagged with its subjects."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence

from portico.coordination.reading import EVERYTHING
from portico.coordination.revocations import RevocationLog

type Loader[V] = Callable[[], Awaitable[tuple[V, Sequence[str]]]]
"""Loads from the database: the value, and the subjects whose revocation makes it wrong."""


class BoundedCache[K: Hashable, V]:
    """At most `max_entries` values; the one that was not asked for longest goes first.

    A value is answered only while the log is trusted, and kept only if nothing was revoked while it was loaded.
    Keys must not be sets. Values must not be changed by whoever gets them.
    """

    def __init__(self, log: RevocationLog, max_entries: int) -> None:
        self._log = log
        self._max_entries = max_entries
        self._entries: OrderedDict[K, tuple[V, Sequence[str]]] = OrderedDict()
        self._tags: dict[str, K | set[K]] = {}
        log.subscribe(self.forget)

    def __len__(self) -> int:
        return len(self._entries)

    def hit(self, key: K) -> V | None:
        """Return the value of `key` if there is one that may be believed at this moment."""
        if not self._log.trusted():  # may forget, so it comes first
            return None
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    async def load(self, key: K, loader: Loader[V]) -> V:
        """Load the value, and keep it unless something was revoked meanwhile: it could be what was just revoked."""
        epoch = self._log.epoch
        value, subjects = await loader()
        if self._log.epoch == epoch:
            self._keep(key, value, subjects)
        return value

    async def get(self, key: K, loader: Loader[V]) -> V:
        """Return the value of `key` from the cache, or else load it."""
        value = self.hit(key)
        return await self.load(key, loader) if value is None else value

    def forget(self, subjects: Iterable[str]) -> None:
        """Drop every entry that is tagged with one of the subjects; with `*`, all."""
        for subject in subjects:
            if subject == EVERYTHING:
                self._entries.clear()
                self._tags.clear()
                return
            tagged = self._tags.get(subject)
            if tagged is not None:
                for key in list(tagged) if isinstance(tagged, set) else [tagged]:
                    self.drop(key)

    def drop(self, key: K) -> None:
        """Forget one entry, in this process only."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._untag(key, entry[1])

    def _keep(self, key: K, value: V, subjects: Sequence[str]) -> None:
        self.drop(key)
        while len(self._entries) >= self._max_entries:
            oldest, entry = self._entries.popitem(last=False)
            self._untag(oldest, entry[1])
        self._entries[key] = (value, subjects)
        for subject in subjects:
            self._tag(key, subject)

    def _tag(self, key: K, subject: str) -> None:
        """Note that `key` bears `subject`; a single key stands bare, because a set takes four times its room."""
        tagged = self._tags.setdefault(subject, key)
        if isinstance(tagged, set):
            tagged.add(key)
        elif tagged != key:
            self._tags[subject] = {tagged, key}

    def _untag(self, key: K, subjects: Sequence[str]) -> None:
        for subject in subjects:
            tagged = self._tags.get(subject)
            if isinstance(tagged, set):
                tagged.discard(key)
            if tagged in (key, set()):
                del self._tags[subject]
