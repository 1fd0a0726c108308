"""Slowing and stopping who guesses, without locking out who knows.

A guess is counted as wrong *before* the hash is looked at, in a short transaction of its own, so that fifty who guess
at once get no more than the budget; a right one takes the count back. Strangers share the account's budget, however
many addresses and names they use; a device that signed in before has one of its own (device cookie); so has a session
that is signed in. When strangers have used theirs up, the owner still comes in from his device, or by mail.

    in a row                    strangers (together)     a known device
    1 to 10                     at once                  at once
    11 and more                 1 min, doubled to 1 h    1 min, doubled to 1 h
    after 75 (strangers), 25    blocked until recovery   blocked until recovery

The count is kept under a MAC of the user id, or of the name that nobody has, so that both cost the same
(NIST SP 800-63B-4, section 3.2.2; ASVS 5.0 V6.3.1; CVE-2024-32868, CVE-2025-24806).
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from portico.core import failpoints
from portico.core.context import current_request
from portico.core.ids import SessionId, UserId
from portico.credentials.devices import device_known_to
from portico.credentials.errors import TooManyAttempts
from portico.credentials.repositories import GuessRepository, GuessTrips
from portico.credentials.settings import CredentialsSettings
from portico.credentials.types import STRANGERS, Factor, GuessRules, GuessScope
from portico.db.unit import Unit
from portico.runtime import Runtime
from portico.users.addresses import find_normal_form
from portico.users.usernames import find_key

MAC_KEY = "credentials.guess-counters"
PATIENCE_SECONDS = 10
UNTIL_RECOVERY = timedelta(hours=1)
"""What a caller is told to wait where only recovery helps; nothing tells that from a long pause."""


class Guessing:
    """Counts guesses."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.section(CredentialsSettings)
        self._under_way = runtime.get(GuessesUnderWay)

    def scope_of(
        self,
        user_id: UserId | None,
        identifier: str,
        factor: Factor = Factor.PASSWORD,
        *,
        session_id: SessionId | None = None,
    ) -> GuessScope:
        """Return whose budget a guess uses: that of the session, of the known device, or of all strangers."""
        if user_id is None:
            return GuessScope(self._mac(b"name:" + _normal(identifier)), factor, STRANGERS)
        return GuessScope(self.account_of(user_id), factor, self._device(user_id, session_id))

    def account_of(self, user_id: UserId) -> bytes:
        """Return the name of an account in the table."""
        return self._mac(b"user:" + user_id.bytes)

    async def reserve(self, scope: GuessScope) -> "Guess":
        """Take one guess from the budget, or wait for those under way that may give theirs back.

        Raises:
            TooManyAttempts: blocked; nothing was counted (429).
        """
        while True:
            mark = self._under_way.successes
            blocked_until = await self._take(scope)
            if blocked_until is None:
                return self._under_way.enter(scope)
            # Ten right sign-ins of one person at the same moment must not block the eleventh: see if one succeeds.
            if not await self._under_way.may_free(scope, mark):
                raise self._refusal(blocked_until)

    async def _take(self, scope: GuessScope) -> datetime | None:
        """Count the guess; return None if it may be made, else until when not."""
        now = self._runtime.clock.now()
        if failpoints.armed:
            await failpoints.reach("credentials.guess.before_reserve")
        trips = GuessTrips(self._runtime.database.trips)
        if await trips.reserve(scope, self._rules(scope), now) is not None:
            return None
        async with self._runtime.reads() as session:
            found = await GuessRepository(session).find(scope)
        if found is None or found.blocked_until is None or found.failures >= self._rules(scope).most:
            return now + UNTIL_RECOVERY
        return found.blocked_until

    async def succeed(self, guess: "Guess", unit: Unit) -> None:
        """Forget the wrong guesses of its scope with the commit of the open unit, then let those waiting go on."""
        await GuessRepository(unit.session).clear(guess.scope)

        async def tell() -> None:
            self._under_way.leave(guess, succeeded=True)

        unit.after_commit(tell)

    def fail(self, guess: "Guess") -> None:
        """Let those waiting know that this guess was wrong; it is counted already."""
        self._under_way.leave(guess, succeeded=False)

    async def give_back(self, guess: "Guess") -> None:
        """Uncount a guess that was never looked at, because the hashers were busy."""
        async with self._runtime.unit() as unit:
            await GuessRepository(unit.session).give_back(guess.scope)
        self._under_way.leave(guess, succeeded=True)

    async def reset(self, user_id: UserId, unit: Unit) -> None:
        """Forget all wrong guesses at an account, in the open unit: recovery, or an administrator's unlocking."""
        await GuessRepository(unit.session).clear_account(self.account_of(user_id))

    async def is_blocked(self, user_id: UserId) -> bool:
        """Tell whether any guesser at the account has to wait now."""
        async with self._runtime.reads() as session:
            now = self._runtime.clock.now()
            return bool(await GuessRepository(session).list_blocked(self.account_of(user_id), now))

    def _refusal(self, blocked_until: datetime) -> TooManyAttempts:
        seconds = (blocked_until - self._runtime.clock.now()).total_seconds()
        return TooManyAttempts(retry_after=ceil(seconds))

    def _rules(self, scope: GuessScope) -> GuessRules:
        settings = self._settings
        return GuessRules(
            free=settings.free_guesses,
            most=settings.stranger_guesses if scope.is_stranger else settings.device_guesses,
            first_delay=settings.first_delay,
            longest_delay=settings.longest_delay,
        )

    def _device(self, user_id: UserId, session_id: SessionId | None) -> str:
        if session_id is not None:
            return f"session:{session_id}"
        device_id = device_known_to(self._runtime.secret, current_request().device_cookie, user_id)
        return f"known:{device_id}" if device_id else STRANGERS

    def _mac(self, account: bytes) -> bytes:
        return self._runtime.lasting.mac(MAC_KEY, account)


def _normal(identifier: str) -> bytes:
    """Return one spelling for all spellings of a name that nobody has."""
    known = find_normal_form(identifier) if "@" in identifier else find_key(identifier)
    return (known or identifier.strip().casefold()).encode(errors="replace")


@dataclass(slots=True, eq=False)
class _UnderWay:
    """Guesses of one scope that are being looked at in this process."""

    count: int = 0
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    succeeded: bool = False

    async def wait(self) -> bool:
        """Wait until one was right (then True) or all were wrong."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.settled.wait()
        except TimeoutError:
            return False
        return self.succeeded


@dataclass(slots=True, eq=False)
class Guess:
    """One guess that is counted and not yet decided."""

    scope: GuessScope
    under_way: _UnderWay = field(repr=False)
    is_decided: bool = False


class GuessesUnderWay:
    """Which guesses this process is looking at just now; one a process, `runtime.get(GuessesUnderWay)`."""

    def __init__(self) -> None:
        self._scopes: dict[GuessScope, _UnderWay] = {}
        self.successes = 0

    def enter(self, scope: GuessScope) -> Guess:
        """Note one more. It leaves by itself in the end: an act that failed after the right password must not
        keep others waiting for ever.
        """
        under_way = self._scopes.setdefault(scope, _UnderWay())
        under_way.count += 1
        guess = Guess(scope, under_way)
        asyncio.get_running_loop().call_later(PATIENCE_SECONDS, lambda: self.leave(guess, succeeded=False))
        return guess

    def leave(self, guess: Guess, *, succeeded: bool) -> None:
        """Note that one was decided; the first right one, or the last of all, lets those waiting go on."""
        if guess.is_decided:
            return
        guess.is_decided = True
        self.successes += succeeded
        under_way = guess.under_way
        under_way.count -= 1
        if succeeded or under_way.count == 0:
            under_way.succeeded = under_way.succeeded or succeeded
            under_way.settled.set()
            if self._scopes.get(guess.scope) is under_way:
                del self._scopes[guess.scope]

    async def may_free(self, scope: GuessScope, mark: int) -> bool:
        """Wait for the guesses under way; tell whether one was right since `mark`, so that asking again is worth it."""
        under_way = self._scopes.get(scope)
        if under_way is not None:
            return await under_way.wait()
        return self.successes != mark
