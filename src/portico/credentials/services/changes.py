"""Changing the password: by whoever knows the old one, or by whoever reads the mail of the address."""

from dataclasses import dataclass

from portico.audit.services import record
from portico.audit.types import Outcome
from portico.coordination.revocations import RevocationLog
from portico.core import failpoints
from portico.core.ids import PrincipalId, SessionId, UserId
from portico.credentials.errors import PasswordRejected
from portico.credentials.events import PasswordChanged
from portico.credentials.passwords import Passwords
from portico.credentials.policy import PasswordPolicy
from portico.credentials.repositories import PasswordRepository
from portico.credentials.services.guessing import Guessing
from portico.credentials.services.notices import CredentialMails
from portico.credentials.services.proofs import PasswordProof, PasswordProofs
from portico.credentials.settings import CredentialsSettings
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.messaging import EventBus
from portico.runtime import Runtime
from portico.tokens.errors import TokenInvalid
from portico.tokens.services import OneTimeTokens
from portico.tokens.types import RedeemedToken, TokenPurpose
from portico.users.addresses import Address
from portico.users.services import EmailAddresses, Users
from portico.users.services.decoys import counting_only_if, nobody
from portico.users.settings import UsersSettings
from portico.users.types import Account

UNCHANGED = ("password_unchanged", "The new password is the old one.")


@dataclass(frozen=True, slots=True)
class _Setting:
    """Sets passwords in the open unit; what changing and recovery have in common."""

    runtime: Runtime
    unit: Unit

    def check(self, password: str, *names: str | None) -> None:
        PasswordPolicy(self.runtime.settings).check(password, context=names, field="new_password")

    async def set_password(
        self, account: Account, new_hash: str, *, keep: SessionId | None, how: str
    ) -> None:
        """Store the hash, end the other sessions by the event, tell the person and the trail."""
        runtime, unit, now = self.runtime, self.unit, self.runtime.clock.now()
        await PasswordRepository(unit.session).put(account.id, new_hash, now)
        await OneTimeTokens(runtime, unit).void(TokenPurpose.RESET_PASSWORD, account.id)
        record(runtime, unit, f"password.{how}", actor=account.id, subject=("user", account.id))
        await runtime.get(RevocationLog).append(unit, [f"user:{account.id}"])
        event = PasswordChanged(at=now, user_id=account.id, keep_session_id=keep)
        await runtime.get(EventBus).emit(event, unit)
        CredentialMails(runtime, unit).password_changed(account)


class PasswordChange:
    """Changes the password of somebody who is signed in."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._setting = _Setting(runtime, unit)

    async def change_password(self, principal: Principal, current: str, new: str) -> None:
        """Set a new password; all sessions but this one end, and the person is told by mail.

        Raises:
            PasswordIncorrect: the current one is wrong; counted (403).
            TooManyAttempts: guesses are blocked (429).
            PasswordRejected: the policy does not take the new one (400).
        """
        proof = await PasswordProofs(self._runtime, self._unit).prove_again(principal, current)
        account = proof.account
        if current == new:
            raise PasswordRejected([UNCHANGED], field="new_password")
        self._setting.check(new, account.email_normal_form, account.username, account.full_name)
        new_hash = await self._runtime.get(Passwords).hash(new)
        async with self._unit:
            await PasswordProofs(self._runtime, self._unit).accept(proof)
            await self._setting.set_password(account, new_hash, keep=principal.session_id, how="changed")


WELCOME = "welcome"
"""In the payload of a token: it welcomes to an account that an administrator made, whose name and roles stay."""


class PasswordRecovery:
    """Lets whoever reads the mail of an address choose a new password; does not sign in."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._tokens = OneTimeTokens(runtime, unit)
        self._setting = _Setting(runtime, unit)

    async def request_reset(self, address: Address) -> None:
        """Mail a link and a code if the address is somebody's; nothing, not even the time, tells whether it is.

        Open also while guessing is blocked: that is the owner's way back in.
        """
        limits = self._runtime.section(UsersSettings).unasked_mails
        addresses = EmailAddresses(self._runtime, self._unit)
        may_mail = await addresses.may_send(f"recovery:{address.normal_form}", limits)
        async with self._unit:
            account = await Users(self._runtime, self._unit).find_by_email(address)
            sends = account is not None and account.is_active and may_mail
            async with counting_only_if(sends, self._unit):
                await self._mail_link(account or nobody(self._runtime, address))
            record(
                self._runtime,
                self._unit,
                "password.reset_requested",
                outcome=Outcome.SUCCESS if sends else Outcome.REFUSED,
                subject=("user", account.id) if account else None,
            )

    async def peek(self, token: str) -> RedeemedToken:
        """Return what a link stands for and change nothing, for the page that asks for the new password.

        Raises:
            TokenInvalid, TokenUsed, TokenExpired: it is no good (400, 410).
        """
        return await self._tokens.peek(TokenPurpose.RESET_PASSWORD, token)

    async def reset_password(self, token: str, new: str) -> Account:
        """Set a new password by the link of a mail.

        It proves the address, ends all sessions and forgets all wrong guesses. Where the address was unproven, all
        that was set before is wiped.

        Raises:
            TokenInvalid, TokenUsed, TokenExpired: the link is no good, or the address is another one now (400, 410).
            PasswordRejected: the policy does not take the password; the link stays good (400).
        """
        known = await self.peek(token)
        account = await Users(self._runtime, self._unit).find_user(UserId(PrincipalId(known.subject_id)))
        if account is None:
            raise TokenInvalid
        self._setting.check(new, account.email_normal_form, account.username, account.full_name)
        new_hash = await self._runtime.get(Passwords).hash(new)
        if failpoints.armed:
            await failpoints.reach("credentials.reset.before_write")
        async with self._unit:
            redeemed = await self._tokens.redeem(TokenPurpose.RESET_PASSWORD, token)
            return await self._reset(redeemed, new_hash)

    async def reset_password_by_code(self, address: Address, code: str, new: str) -> Account:
        """Set a new password by the code of a mail; a wrong one is counted.

        Raises:
            CodeInvalid: wrong, expired, or tried too often; kept (400).
            TooManyCodeTries: too many tries for this address (429).
            PasswordRejected: the policy does not take the password (400).
        """
        await EmailAddresses(self._runtime, self._unit).count_code_try(address)
        self._setting.check(new, address.normal_form)
        new_hash = await self._runtime.get(Passwords).hash(new)
        async with self._unit:
            redeemed = await self._tokens.redeem_code(TokenPurpose.RESET_PASSWORD, address.normal_form, code)
            return await self._reset(redeemed, new_hash)

    async def _reset(self, redeemed: RedeemedToken, new_hash: str) -> Account:
        user_id = UserId(PrincipalId(redeemed.subject_id))
        addresses = EmailAddresses(self._runtime, self._unit)
        account = await addresses.prove_by_recovery(
            user_id, redeemed.address or "", keeps=redeemed.payload.get(WELCOME) is True
        )
        await Guessing(self._runtime).reset(user_id, self._unit)
        await self._setting.set_password(account, new_hash, keep=None, how="reset")
        return account

    async def _mail_link(self, account: Account) -> None:
        token = await self._tokens.issue(
            TokenPurpose.RESET_PASSWORD,
            account.id,
            ttl=self._runtime.section(CredentialsSettings).reset_ttl,
            address=account.email_normal_form,
            with_code=True,
        )
        CredentialMails(self._runtime, self._unit).reset_password(account, token)


class AddressProofs:
    """Proves an address together with the password, for a page opened on a device that nobody knows.

    A link alone keeps the password that was set at sign-up; a stranger may have set it. Whoever opens the link
    elsewhere gives that password, or chooses a new one, which wipes what was there.
    """

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._addresses = EmailAddresses(runtime, unit)

    async def verify_with_password(self, token: str, password: str) -> Account:
        """Prove the address for somebody who knows the password of the attempt that the link belongs to.

        Raises:
            TokenInvalid, TokenUsed, TokenExpired: the link is no good (400, 410).
            InvalidCredentials: the password is not that one; counted (401).
            TooManyAttempts: guesses are blocked (429).
        """
        proof = await self._prove(await self._addresses.peek(token), password)
        async with self._unit:
            await PasswordProofs(self._runtime, self._unit).accept(proof)
            return await self._addresses.verify(token)

    async def verify_code_with_password(self, address: Address, code: str, password: str) -> Account:
        """Prove the address by the code of a mail, for somebody who knows the password of that attempt.

        Raises:
            CodeInvalid: wrong, expired, or tried too often; kept (400).
            TooManyCodeTries: too many tries for this address (429).
            InvalidCredentials, TooManyAttempts: as `verify_with_password` (401, 429).
        """
        addresses = EmailAddresses(
            self._runtime, self._runtime.unit()
        )  # a wrong code is kept whatever follows
        proof = await self._prove(await addresses.peek_by_code(address, code), password)
        async with self._unit:
            await PasswordProofs(self._runtime, self._unit).accept(proof)
            return await self._addresses.redeem_code(address, code)

    async def _prove(self, known: RedeemedToken, password: str) -> PasswordProof:
        account = await Users(self._runtime, self._unit).find_user(UserId(PrincipalId(known.subject_id)))
        claim = known.payload.get("claim")
        return await PasswordProofs(self._runtime, self._unit).prove(
            account, known.address or "", password, instead=claim["password_hash"] if claim else None
        )

    async def verify_with_new_password(self, token: str, new: str) -> Account:
        """Prove the address and set a password; all that was set before the proof is wiped.

        Raises:
            TokenInvalid, TokenUsed, TokenExpired: the link is no good, or one that changes an address: whoever reads
                the mail there may be a stranger to the account (400, 410).
            PasswordRejected: the policy does not take the password; the link stays good (400).
        """
        known = await self._addresses.peek(token)
        if "replaces" in known.payload:
            raise TokenInvalid
        setting = _Setting(self._runtime, self._unit)
        setting.check(new, known.address)
        new_hash = await self._runtime.get(Passwords).hash(new)
        async with self._unit:
            account = await self._addresses.verify(token, afresh=True)
            await Guessing(self._runtime).reset(account.id, self._unit)
            await setting.set_password(account, new_hash, keep=None, how="set")
            return account
