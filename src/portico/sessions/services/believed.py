"""Credentials that this process has verified lately and may believe without asking the database.

`BoundedCache` answers only while the revocation log says that this process hears every revocation in time; here each
entry also ends when its token or session does. It is found by SHA-256 of the credential, in a name space of its own
for each kind of credential, issuer and audience, so that one can never be taken for another (CVE-2026-33496).
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from portico.coordination.cache import BoundedCache
from portico.coordination.revocations import RevocationLog
from portico.core.clock import Clock
from portico.http.authentication import Principal

NOTE_USE_EVERY = timedelta(seconds=60)
"""How coarse `last_seen_at` is."""


class KeySpace:
    """Makes cache keys of credentials of one kind."""

    __slots__ = ("_prefix",)

    def __init__(self, *parts: str) -> None:
        self._prefix = hashlib.sha256("\0".join((*parts, "")).encode())

    def key(self, credential: str) -> bytes:
        """Return the 32-byte key; the credential itself is kept nowhere."""
        hashed = self._prefix.copy()
        hashed.update(credential.encode("utf-8", "surrogatepass"))
        return hashed.digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What was read of a credential: whom it stands for, and for how long.

    For browser sessions each use moves the end by `idle`, never past `never_after`.
    """

    principal: Principal
    session_id: UUID | None
    """Whose use is noted; None for what is no session of a person."""
    good_until: datetime
    never_after: datetime
    idle: timedelta | None = None
    actor_session_id: UUID | None = None
    """The session of whoever acts in the person's name; the belief falls with it."""
    more_subjects: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Return whose revocations end the belief."""
        if self.session_id is None:
            return (f"user:{self.principal.id}", *self.more_subjects)
        subjects = (f"session:{self.session_id}", f"user:{self.principal.id}", *self.more_subjects)
        if self.principal.actor_id is None:
            return subjects
        return (*subjects, f"session:{self.actor_session_id}", f"user:{self.principal.actor_id}")


class _Entry:
    """A belief in the cache. The two times move with use; nothing that is decided by them gets later than the row."""

    __slots__ = ("belief", "good_until", "look_again_at")

    def __init__(self, belief: Belief, now: datetime) -> None:
        self.belief = belief
        self.good_until = belief.good_until
        self.look_again_at = min(belief.good_until, now + NOTE_USE_EVERY)


class BelievedPrincipals:
    """The bounded memory of verified credentials, and which sessions were used since the last flush."""

    def __init__(self, clock: Clock, log: RevocationLog, *, max_entries: int) -> None:
        self._clock = clock
        self._entries: BoundedCache[bytes, _Entry] = BoundedCache(log, max_entries)
        self._used: set[UUID] = set()

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: bytes) -> Principal | None:
        """Return the principal if it may still be believed. No await: this is the hot path."""
        entry = self._entries.hit(key)
        if entry is None:
            return None
        now = self._clock.now()
        if now < entry.look_again_at:
            return entry.belief.principal
        return self._looked_again(entry, now)

    async def load(self, key: bytes, read: Callable[[], Awaitable[Belief]]) -> Principal:
        """Read the credential's facts and believe them from now on, unless something was revoked meanwhile."""

        async def loader() -> tuple[_Entry, Sequence[str]]:
            belief = await read()
            return _Entry(belief, self._clock.now()), belief.subjects

        entry = await self._entries.load(key, loader)
        self._note(entry.belief.session_id)
        return entry.belief.principal

    def take_used(self) -> set[UUID]:
        """Return the sessions used since the last call, and begin a new list."""
        used, self._used = self._used, set()
        return used

    def give_back(self, used: set[UUID]) -> None:
        """Put sessions back whose use could not be written."""
        self._used |= used

    def _note(self, session_id: UUID | None) -> None:
        if session_id is not None:
            self._used.add(session_id)

    def _looked_again(self, entry: _Entry, now: datetime) -> Principal | None:
        if now >= entry.good_until:
            return None
        belief = entry.belief
        self._note(belief.session_id)
        if belief.idle is not None:
            entry.good_until = min(now + belief.idle, belief.never_after)
        entry.look_again_at = min(entry.good_until, now + NOTE_USE_EVERY)
        return belief.principal
