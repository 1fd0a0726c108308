"""Signing in with a password.

    read the account          one statement, whether or not it exists
    prove the password        counted first, hashed with nothing held, refused alike for all strangers
    in one transaction        the person locked; password unchanged? account on? address proven? room for a session?
                              then session, token family, trail, event

Only who gave the right password learns that an account is switched off or unproven.
"""

from dataclasses import dataclass, field

from portico.audit.services import record
from portico.audit.types import Outcome
from portico.core.errors import PorticoError
from portico.core.ids import SessionId
from portico.credentials.errors import InvalidCredentials
from portico.credentials.services import PasswordProof, PasswordProofs
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.runtime import Runtime
from portico.sessions.errors import AccountDeactivated, EmailNotVerified, SessionEnded
from portico.sessions.repositories import LockedPerson, SignInFacts
from portico.sessions.services.access_tokens import AccessToken, AccessTokens
from portico.sessions.services.opening import OpenedSession, SessionOpening
from portico.sessions.services.page_sessions import PageSessions
from portico.sessions.types import AuthMethod, Transport
from portico.tokens.types import RefreshToken
from portico.users.services import Users
from portico.users.settings import UsersSettings
from portico.users.types import Account, UserStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """What a sign-in gives: tokens for the API, or the cookie of a browser session, never both."""

    account: Account
    opened: OpenedSession
    access_token: AccessToken | None = field(default=None, repr=False)

    @property
    def refresh_token(self) -> RefreshToken | None:
        """The first refresh token; None for a browser session."""
        return self.opened.refresh_token

    @property
    def cookie(self) -> str | None:
        """The value of the session cookie; None for the API."""
        return self.opened.cookie

    @property
    def device_cookie(self) -> str:
        """The value of the cookie by which this device is known from now on."""
        return self.opened.device_cookie


class SignIn:
    """Signs people in by password. A second factor is decided here once there is one: between proof and session."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._proofs = PasswordProofs(runtime, unit)

    async def sign_in(
        self,
        identifier: str,
        password: str,
        transport: Transport = Transport.BODY,
        *,
        replaces: SessionId | None = None,
    ) -> SignedIn:
        """Sign in by e-mail address or username; call with the unit closed.

        `replaces` is the session that the browser had until now, if any; it ends.

        Raises:
            InvalidCredentials: unknown, deleted, or the password is wrong; counted and on the trail (401).
            TooManyAttempts: guesses are blocked, whether or not the person exists (429).
            PasswordUnreadable: over 1,024 bytes or no text (400).
            AccountDeactivated, EmailNotVerified: told after the right password only (403).
            TooManySessions: the limit is reached and the setting refuses one more (409).
            HashingBusy: too many hash at once (503).
        """
        account = await Users(self._runtime, self._unit).find_by_identifier(identifier)
        proof = await self._proofs.prove(account, identifier, password)
        opened = await self._open(proof, transport, replaces)
        access_token = None
        if transport is not Transport.PAGE:
            access_token = self._runtime.get(AccessTokens).mint(opened.session)
        return SignedIn(account=proof.account, opened=opened, access_token=access_token)

    async def sign_in_again(self, principal: Principal, identifier: str, password: str) -> str | None:
        """Prove once more who it is: the session goes on under a new cookie, freshly authenticated.

        Return the cookie's value; None if it is somebody else who signs in, which is a sign-in like any other.

        Raises:
            InvalidCredentials, TooManyAttempts, PasswordUnreadable, HashingBusy: as `sign_in`.
            SessionEnded: the session has ended in the meantime (401).
        """
        account = await Users(self._runtime, self._unit).find_by_identifier(identifier)
        if account is None or account.id != principal.id or principal.session_id is None:
            return None
        proof = await self._proofs.prove(account, identifier, password)
        async with self._unit:
            await self._proofs.accept(proof)
            record(
                self._runtime,
                self._unit,
                "session.reauthenticated",
                actor=principal,
                subject=("user", account.id),
            )
            return await PageSessions(self._runtime, self._unit).authenticate_again(
                principal.session_id, amr=(AuthMethod.PASSWORD,)
            )

    async def _open(
        self, proof: PasswordProof, transport: Transport, replaces: SessionId | None
    ) -> OpenedSession:
        async def admit(person: LockedPerson, facts: SignInFacts) -> None:
            await self._proofs.accept(proof)
            if person.status is not UserStatus.ACTIVE:
                raise self._refused(proof, AccountDeactivated)
            if self._requires_proof and not facts.is_verified:
                raise self._refused(proof, EmailNotVerified)

        try:
            return await SessionOpening(self._runtime, self._unit).open(
                proof.account.id,
                amr=(AuthMethod.PASSWORD,),
                transport=transport,
                replaces=replaces,
                admit=admit,
            )
        except SessionEnded:  # deleted while the password was being checked
            raise InvalidCredentials from None

    @property
    def _requires_proof(self) -> bool:
        return self._runtime.section(UsersSettings).requires_proof(self._runtime.settings)

    def _refused(self, proof: PasswordProof, refusal: type[PorticoError]) -> PorticoError:
        record(
            self._runtime,
            self._unit,
            "session.refused",
            outcome=Outcome.REFUSED,
            subject=("user", proof.account.id),
            reason=refusal.code,
        )
        return refusal()
