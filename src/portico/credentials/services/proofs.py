"""Proving who somebody is by his password: at sign-in, and again before a sensitive act.

The order is the same everywhere: read the hash; count the guess as wrong; hash, holding nothing; then, in the act's
own transaction, check that the hash is still the same and take the count back.
"""

from dataclasses import dataclass, field
from typing import Final, Never
from uuid import UUID

from portico.audit.services import record
from portico.audit.types import Outcome
from portico.core import failpoints
from portico.core.errors import PorticoError
from portico.core.ids import PrincipalId, SessionId, UserId
from portico.credentials.errors import HashingBusy, InvalidCredentials, PasswordIncorrect, TooManyAttempts
from portico.credentials.passwords import Passwords, readable
from portico.credentials.repositories import PasswordRepository
from portico.credentials.services.guessing import Guess, Guessing
from portico.credentials.types import Verified
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.runtime import Runtime
from portico.users.errors import ReauthenticationRequired
from portico.users.services import Users
from portico.users.settings import UsersSettings
from portico.users.types import Account

_NOBODY: Final = UserId(PrincipalId(UUID(int=0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordProof:
    """That a person gave the right password; `PasswordProofs.accept` makes it count, inside the transaction."""

    account: Account
    guess: Guess
    password_hash: str = field(repr=False)
    new_hash: str | None = field(default=None, repr=False)
    """The same password under today's parameters, where the stored hash has older ones."""


class PasswordProofs:
    """Checks passwords and counts guesses."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._guessing = Guessing(runtime)
        self._passwords = runtime.get(Passwords)

    async def prove(
        self, account: Account | None, identifier: str, password: str, *, instead: str | None = None
    ) -> PasswordProof:
        """Check the password of a sign-in. Call with the unit closed; an unknown person costs the same as a known one.

        `instead` is another hash to compare with, that of an attempt to sign up which is not proven yet.

        Raises:
            PasswordUnreadable: over 1,024 bytes or no text (400).
            InvalidCredentials: unknown or wrong; counted and on the trail (401).
            TooManyAttempts: guesses are blocked, whether or not the person exists (429).
            HashingBusy: too many hash at once (503).
        """
        return await self._prove(account, identifier, password, refusal=InvalidCredentials, instead=instead)

    async def prove_again(self, principal: Principal, password: str) -> PasswordProof:
        """Check the password of somebody who is signed in, before a sensitive act; his session has its own budget.

        Raises:
            PasswordIncorrect: wrong; counted and on the trail (403).
            TooManyAttempts: guesses are blocked (429).
        """
        account = await Users(self._runtime, self._unit).find_user(UserId(principal.id))
        return await self._prove(
            account, str(principal.id), password, refusal=PasswordIncorrect, session_id=principal.session_id
        )

    async def accept(self, proof: PasswordProof) -> None:
        """Make the proof count, in the open unit: wrong guesses are forgotten, an old hash is replaced.

        Raises:
            InvalidCredentials: the password was changed while it was being checked (401).
        """
        user_id = proof.account.id
        passwords = PasswordRepository(self._unit.session)
        if await passwords.find_hash(user_id) != proof.password_hash:
            raise InvalidCredentials
        await self._guessing.succeed(proof.guess, self._unit)
        if proof.new_hash is not None:
            await passwords.replace(user_id, proof.password_hash, proof.new_hash)
            record(self._runtime, self._unit, "password.rehashed", actor=user_id, subject=("user", user_id))

    async def _prove(
        self,
        account: Account | None,
        identifier: str,
        password: str,
        *,
        refusal: type[PorticoError],
        session_id: SessionId | None = None,
        instead: str | None = None,
    ) -> PasswordProof:
        readable(password)
        user_id = account.id if account else None
        scope = self._guessing.scope_of(user_id, identifier, session_id=session_id)
        stored = await self._find_hash(user_id)
        try:
            guess = await self._guessing.reserve(scope)
        except TooManyAttempts as blocked:
            await self._refuse(blocked, user_id, "too_many_attempts")
        verified = await self._verify(guess, instead or stored, password)
        if account is None or stored is None or not verified.ok:
            self._guessing.fail(guess)
            await self._refuse(refusal(), user_id, "wrong_password" if account else "unknown_name")
        new_hash = await self._passwords.hash(password) if verified.needs_rehash and not instead else None
        return PasswordProof(account=account, guess=guess, password_hash=stored, new_hash=new_hash)

    async def _find_hash(self, user_id: UserId | None) -> str | None:
        # Asked for nobody too: one statement more or less would tell who exists.
        async with self._runtime.reads() as session:
            return await PasswordRepository(session).find_hash(user_id or _NOBODY)

    async def _verify(self, guess: Guess, stored: str | None, password: str) -> Verified:
        if failpoints.armed:
            await failpoints.reach("credentials.proof.before_hash")
        try:
            return await self._passwords.verify(stored, password)
        except HashingBusy:
            await self._guessing.give_back(guess)
            raise

    async def _refuse(self, refusal: PorticoError, user_id: UserId | None, reason: str) -> Never:
        # Raised inside the unit, which commits for it: also where the commit is held for an Idempotency-Key.
        async with self._unit:
            record(
                self._runtime,
                self._unit,
                "password.refused",
                outcome=Outcome.REFUSED,
                subject=("user", user_id) if user_id else None,
                reason=reason,
            )
            raise refusal


class PasswordReauthentication:
    """Fills the port of `portico.users`: it is the person himself who asks."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def confirm(self, principal: Principal, password: str | None) -> None:
        """Accept the password, or without one a sign-in of the last minutes; never somebody who impersonates.

        Raises:
            ReauthenticationRequired: no password, and the sign-in is too old (403).
            PasswordIncorrect: wrong; counted and on the trail (403).
            TooManyAttempts: guesses are blocked (429).
        """
        if principal.actor_id is not None:
            raise ReauthenticationRequired
        if password is None:
            self._check_recent(principal)
            return
        # Units of its own: the guess counts whatever becomes of the act that it was to confirm.
        proof = await PasswordProofs(self._runtime, self._runtime.unit()).prove_again(principal, password)
        async with self._runtime.unit() as unit:
            await PasswordProofs(self._runtime, unit).accept(proof)

    def _check_recent(self, principal: Principal) -> None:
        window = self._runtime.section(UsersSettings).recent_sign_in
        age = self._runtime.clock.now() - principal.auth_time if principal.auth_time else None
        if age is None or age > window:
            raise ReauthenticationRequired
