"""Proving addresses and changing them.

A token proves one address for one person and was made for one attempt to sign up. A second attempt at an address that
is taken but unproven gets a token that carries its wishes as a `Claim`; whoever proves with that one gets the account
empty of all that was set before. Once an address is proven, every other token for it is void: a claim that somebody
else planted must not be applied later.
"""

from dataclasses import asdict
from typing import Any

from portico.access.services import Grants, roles_of
from portico.access.types import PlatformRole
from portico.audit.services import record
from portico.audit.types import Outcome
from portico.coordination.counters import Counters, parse_windows
from portico.coordination.revocations import RevocationLog
from portico.core.ids import PrincipalId, UserId, new_id
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.mail.services import Mailer
from portico.messaging import Event, EventBus
from portico.runtime import Runtime
from portico.tokens.errors import TokenInvalid
from portico.tokens.services import OneTimeTokens
from portico.tokens.types import IssuedToken, RedeemedToken, TokenPurpose
from portico.users.addresses import Address, parse_address
from portico.users.errors import EmailTaken, TooManyCodeTries, UsernameTaken, UserNotFound
from portico.users.events import UserClaimed, UserEmailChanged, UserEmailVerified
from portico.users.models import EmailAddress, User
from portico.users.ports import Reauthentication
from portico.users.repositories import EmailAddressRepository, UserRepository
from portico.users.services.decoys import counting_only_if, nobody
from portico.users.settings import UsersSettings
from portico.users.types import Account, Claim
from portico.users.usernames import find_key

LIMITER_KEY = "users.address-limits"


class EmailAddresses:
    """What a person does with the address of the account."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._settings = runtime.section(UsersSettings)
        self._tokens = OneTimeTokens(runtime, unit)

    async def send_verification(self, account: Account, *, claim: Claim | None = None) -> IssuedToken:
        """Mail a link and a code that prove the account's address, in the open unit.

        With a `claim` the mail tells that somebody signed up again, and earlier tokens stay good.
        """
        token = await self.issue_proof(account, claim=claim)
        self.mail_proof(account, token, claim=claim)
        return token

    async def issue_proof(self, account: Account, *, claim: Claim | None = None) -> IssuedToken:
        """Make the token of `send_verification`."""
        if claim is not None:  # the same statements as below, without touching the token of the first attempt
            await self._tokens.void(TokenPurpose.VERIFY_EMAIL, new_id())
        return await self._tokens.issue(
            TokenPurpose.VERIFY_EMAIL,
            account.id,
            ttl=self._settings.verification_ttl,
            address=account.email_normal_form,
            with_code=True,
            payload={"claim": asdict(claim) if claim else None},
            replaces_earlier=claim is None,
        )

    def mail_proof(self, account: Account, token: IssuedToken, *, claim: Claim | None = None) -> None:
        """Write the mail of `send_verification`."""
        template = "claim_account" if claim else "verify_email"
        self._mail(template, parse_address(account.email), account, token)

    async def resend(self, address: Address) -> None:
        """Mail a new link if the address belongs to somebody and is unproven; nothing tells whether it does.

        Limited per address; over the limit nothing is sent, and that is not told either.
        """
        if not await self.may_send(f"resend:{address.normal_form}", self._settings.verification_mails):
            return
        async with self._unit:
            account = await UserRepository(self._unit.session).find_account_by_email(address.normal_form)
            sends = account is not None and not account.email_verified
            async with counting_only_if(sends, self._unit):
                await self.send_verification(account if account and sends else nobody(self._runtime, address))
            outcome = Outcome.SUCCESS if sends else Outcome.REFUSED
            subject = ("user", account.id) if account else None
            record(self._runtime, self._unit, "email.verification_sent", outcome=outcome, subject=subject)

    async def verify(self, token: str, *, afresh: bool = False) -> Account:
        """Prove an address by the link of a mail, at sign-up or for a change, and announce it.

        `afresh` wipes what was set before a first proof, as if the account were claimed without wishes.

        Raises:
            TokenInvalid: not ours, or for an address that the person no longer has (400).
            TokenUsed, TokenExpired: its time is over (410).
            EmailTaken: another person proved the address first (409).
        """
        async with self._unit:
            try:
                redeemed = await self._tokens.redeem(TokenPurpose.VERIFY_EMAIL, token)
            except TokenInvalid:
                redeemed = await self._tokens.redeem(TokenPurpose.CHANGE_EMAIL, token)
                return await self._changed(redeemed)
            return await self._verified(redeemed, afresh=afresh)

    async def verify_by_code(self, address: Address, code: str) -> Account:
        """Prove an address by the code of a mail; a wrong one is counted.

        Raises:
            CodeInvalid: wrong, expired, or tried too often; kept (400).
            TooManyCodeTries: too many tries for this address (429).
            EmailTaken: another person proved the address first (409).
        """
        await self.count_code_try(address)
        return await self.redeem_code(address, code)

    async def peek_by_code(self, address: Address, code: str) -> RedeemedToken:
        """Return what a code would prove, and spend nothing; a wrong one is counted.

        Raises:
            CodeInvalid, TooManyCodeTries: as `verify_by_code` would (400, 429).
        """
        await self.count_code_try(address)
        async with self._unit:
            purpose, _ = await self._purpose_at(address)
            return await self._tokens.peek_code(purpose, address.normal_form, code)

    async def redeem_code(self, address: Address, code: str) -> Account:
        """Prove an address by a code whose try has been counted (`peek_by_code`).

        Raises:
            CodeInvalid, EmailTaken: as `verify_by_code` (400, 409).
        """
        async with self._unit:
            purpose, is_first = await self._purpose_at(address)
            redeemed = await self._tokens.redeem_code(purpose, address.normal_form, code)
            return await (self._verified(redeemed) if is_first else self._changed(redeemed))

    async def _purpose_at(self, address: Address) -> tuple[TokenPurpose, bool]:
        is_first = await EmailAddressRepository(self._unit.session).exists_living(address.normal_form)
        return (TokenPurpose.VERIFY_EMAIL if is_first else TokenPurpose.CHANGE_EMAIL), is_first

    async def peek(self, token: str) -> RedeemedToken:
        """Return what a link would prove, and change nothing, for the page that asks for a click.

        Raises:
            TokenInvalid, TokenUsed, TokenExpired: as `verify` would (400, 410).
        """
        try:
            return await self._tokens.peek(TokenPurpose.VERIFY_EMAIL, token)
        except TokenInvalid:
            return await self._tokens.peek(TokenPurpose.CHANGE_EMAIL, token)

    async def request_change(self, principal: Principal, address: Address, password: str | None) -> None:
        """Mail a link to the new address; nothing changes before it is used. A taken address gets the same answer.

        Raises:
            ReauthenticationRequired: neither the password nor a sign-in of the last minutes (403).
        """
        await self._runtime.get(Reauthentication).confirm(principal, password)
        user_id = UserId(principal.id)
        async with self._unit:
            account = await UserRepository(self._unit.session).find_account(user_id, lock=True)
            if account is None:
                raise UserNotFound
            taken = await EmailAddressRepository(self._unit.session).exists_living(address.normal_form)
            async with counting_only_if(not taken, self._unit):
                token = await self._change_token(account, address)
                self._mail("email_change_confirm", address, account, token)
            outcome = Outcome.REFUSED if taken else Outcome.SUCCESS
            record(
                self._runtime,
                self._unit,
                "email.change_requested",
                outcome=outcome,
                actor=principal,
                subject=("user", user_id),
            )

    async def prove_by_recovery(self, user_id: UserId, address: str, *, keeps: bool = False) -> Account:
        """Take a redeemed recovery link as proof of the address it was sent to (normal form), in the open unit.

        Where the address was unproven, all that was set before is wiped: whoever set it may be a stranger. With
        `keeps` it stays: the link is the welcome of an account that an administrator made.

        Raises:
            TokenInvalid: the person or the address is not the one of the link any more (400).
        """
        user, primary = await self._rows(user_id, address)
        if primary.verified_at is None:
            if not keeps:
                await self._wipe(user, None)
            await self._mark_verified(user, primary)
        primary.proven_at = primary.proven_at or self._runtime.clock.now()
        return await self._account(user_id)

    async def prove_by_invitation(self, account: Account, claim: Claim) -> Account:
        """Give an account whose address is unproven to whoever proved it by an invitation, in the open unit.

        All that was set before is wiped, and what he asks for is set instead.

        Raises:
            EmailTaken: somebody proved the address since (409).
        """
        user, primary = await self._rows(account.id, account.email_normal_form)
        if primary.verified_at is not None:
            raise EmailTaken
        await self._wipe(user, claim)
        await self._mark_verified(user, primary)
        return await self._account(account.id)

    async def may_send(self, key: str, limits: str) -> bool:
        """Tell whether one more mail may go out under `key`; counted for known and unknown addresses alike."""
        named = self._runtime.secret.mac(LIMITER_KEY, key.encode()).hex()[:32]
        verdict = await self._runtime.get(Counters).hit(f"mail:{named}", parse_windows(limits))
        return verdict.allowed

    async def count_code_try(self, address: Address) -> None:
        """Count one try to prove an address by a code.

        Raises:
            TooManyCodeTries: too many in an hour or a day; the link in the mail still works (429).
        """
        named = self._runtime.secret.mac(LIMITER_KEY, address.normal_form.encode()).hex()[:32]
        limits = parse_windows(self._settings.code_tries)
        verdict = await self._runtime.get(Counters).hit(f"email-code:{named}", limits)
        if not verdict.allowed:
            raise TooManyCodeTries(retry_after=int(verdict.retry_after) + 1)

    async def _verified(self, redeemed: RedeemedToken, *, afresh: bool = False) -> Account:
        user_id = UserId(PrincipalId(redeemed.subject_id))
        user, primary = await self._rows(user_id, redeemed.address)
        wish = redeemed.payload.get("claim")
        if (wish or afresh) and primary.verified_at is None:
            await self._wipe(user, Claim(**wish) if wish and not afresh else None)
        await self._mark_verified(user, primary)
        return await self._account(user_id)

    async def _mark_verified(self, user: User, primary: EmailAddress) -> None:
        now = self._runtime.clock.now()
        primary.verified_at = primary.verified_at or now
        primary.proven_at = primary.proven_at or now
        primary.updated_at = now
        UserRepository(self._unit.session).renew(user, now)
        await self._unit.session.flush()
        user_id = UserId(PrincipalId(user.id))
        await self._tokens.void(TokenPurpose.VERIFY_EMAIL, user_id)
        await self._announce("email.verified", UserEmailVerified(at=now, user_id=user_id), user_id)

    async def _wipe(self, user: User, claim: Claim | None) -> None:
        """Take away what was set before the proof, set what the prover asked for, and let others do the same."""
        user_id = UserId(PrincipalId(user.id))
        await self._replace_roles(user_id, claim)
        await self._replace_profile(user, claim)
        now = self._runtime.clock.now()
        await self._announce("user.claimed", UserClaimed(at=now, user_id=user_id, claim=claim), user_id)

    async def _replace_roles(self, user_id: UserId, claim: Claim | None) -> None:
        grants = Grants(self._runtime, self._unit)
        for role in await roles_of(self._unit.session, user_id):
            await grants.revoke_role(PrincipalId(user_id), role)
        if claim and claim.role:
            await grants.grant_role(PrincipalId(user_id), PlatformRole(claim.role))

    async def _replace_profile(self, user: User, claim: Claim | None) -> None:
        user.username, user.username_key = None, None
        user.full_name = claim.full_name if claim else None
        user.locale = (claim.locale if claim else None) or user.locale
        await self._unit.session.flush()
        if claim is None or claim.username is None:
            return
        try:
            async with UserRepository(self._unit.session).saving():
                user.username, user.username_key = claim.username, find_key(claim.username)
        except UsernameTaken:  # given away since; the person chooses another one
            await self._unit.session.refresh(user)

    async def _change_token(self, account: Account, address: Address) -> IssuedToken:
        return await self._tokens.issue(
            TokenPurpose.CHANGE_EMAIL,
            account.id,
            ttl=self._settings.verification_ttl,
            address=address.normal_form,
            with_code=True,
            payload={"typed": address.typed, "replaces": account.email_normal_form},
        )

    async def _changed(self, redeemed: RedeemedToken) -> Account:
        user_id = UserId(PrincipalId(redeemed.subject_id))
        user, primary = await self._rows(user_id, redeemed.payload["replaces"])
        old, address = await self._account(user_id), parse_address(redeemed.payload["typed"])
        now = self._runtime.clock.now()
        people = UserRepository(self._unit.session)
        async with people.saving():
            primary.address, primary.normal_form = address.typed, address.normal_form
            primary.verified_at = primary.proven_at = primary.updated_at = now
            people.renew(user, now)
        await self._tokens.void(TokenPurpose.VERIFY_EMAIL, user_id)
        await self._tokens.void(TokenPurpose.RESET_PASSWORD, user_id)
        await self._announce("email.changed", UserEmailChanged(at=now, user_id=user_id), user_id)
        self._mail("email_change_notice", parse_address(old.email), old, None, new_address=address.typed)
        return await self._account(user_id)

    async def _rows(self, user_id: UserId, address: str | None) -> tuple[User, EmailAddress]:
        try:
            user = await UserRepository(self._unit.session).get_living(user_id)
            primary = await EmailAddressRepository(self._unit.session).get_primary(user_id)
        except UserNotFound:
            raise TokenInvalid from None
        if primary.normal_form != address:
            raise TokenInvalid
        return user, primary

    async def _account(self, user_id: UserId) -> Account:
        await self._unit.session.flush()
        account = await UserRepository(self._unit.session).find_account(user_id)
        if account is None:
            raise UserNotFound
        return account

    async def _announce(self, action: str, event: Event, user_id: UserId) -> None:
        record(self._runtime, self._unit, action, actor=user_id, subject=("user", user_id))
        await self._runtime.get(RevocationLog).append(self._unit, [f"user:{user_id}"])
        await self._runtime.get(EventBus).emit(event, self._unit)

    def _mail(
        self, template: str, to: Address, account: Account, token: IssuedToken | None, **more: Any
    ) -> None:
        context: dict[str, Any] = {"name": account.full_name or account.username, **more}
        if token is not None:
            context["url"] = f"{self._runtime.settings.public_url}/verify?token={token.secret}"
            context |= {
                "code": token.code,
                "code_expires_at": token.code_expires_at,
                "expires_at": token.expires_at,
            }
        self._runtime.get(Mailer).enqueue(
            self._unit, template=template, to=to.deliverable, locale=account.locale, context=context
        )
