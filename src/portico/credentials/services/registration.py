"""Sign-up, and the first administrator.

Where addresses must be proven, nothing that a stranger can measure tells whether one is taken: status, body, headers,
the number of hashes, statements and mails are the same. `counting_only_if` does the work of both branches.
"""

from dataclasses import dataclass, field
from uuid import UUID

from portico.access.services import Grants, has_superuser
from portico.access.types import PlatformRole
from portico.audit.services import record
from portico.audit.types import Outcome
from portico.core import failpoints
from portico.core.ids import PrincipalId
from portico.credentials.errors import SetupFinished
from portico.credentials.events import RegistrationRepeated, UserRegistered
from portico.credentials.passwords import Passwords
from portico.credentials.policy import PasswordPolicy
from portico.credentials.ports import Admission
from portico.credentials.repositories import PasswordRepository
from portico.credentials.services.notices import CredentialMails
from portico.credentials.settings import CredentialsSettings
from portico.credentials.types import Admitted
from portico.db.unit import Unit
from portico.messaging import EventBus
from portico.runtime import Runtime
from portico.tokens.services import OneTimeTokens
from portico.tokens.types import TokenPurpose
from portico.users.addresses import Address
from portico.users.errors import EmailTaken, EmailTakenKept
from portico.users.events import UserEmailVerified
from portico.users.services import EmailAddresses, NewUser, Users
from portico.users.services.decoys import counting_only_if
from portico.users.settings import UsersSettings
from portico.users.types import Account, Claim
from portico.users.usernames import Username


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRegistration:
    """What somebody wants who signs up."""

    email: Address
    password: str = field(repr=False)
    username: Username | None = None
    full_name: str | None = None
    locale: str | None = None
    invitation: str | None = field(default=None, repr=False)

    def new_user(self, *, email_verified: bool = False, email_proven: bool = False) -> NewUser:
        """Return the account to be made."""
        return NewUser(
            email=self.email,
            email_verified=email_verified,
            email_proven=email_proven,
            username=self.username,
            full_name=self.full_name,
            locale=self.locale,
        )

    def claim(self, password_hash: str, admitted: Admitted) -> Claim:
        """Return what is to be set when this attempt proves the address."""
        return Claim(
            password_hash=password_hash,
            username=self.username.text if self.username else None,
            full_name=self.full_name,
            locale=self.locale,
            role=admitted.role.value if admitted.role else None,
        )


class Registration:
    """Sign-up by oneself."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._users = Users(runtime, unit)
        self._addresses = EmailAddresses(runtime, unit)
        self._settings = runtime.section(UsersSettings)

    async def register(self, wish: NewRegistration) -> Account | None:
        """Make an account, or where addresses must be proven return None whatever happened.

        Announces `UserCreated` and `UserRegistered`; one mail goes out to the address. Whoever brings an invitation
        that was mailed to the address has proven it: he gets the account as it is, and no mail.

        Raises:
            RegistrationClosed, InvitationRequired: not open to this person (403).
            InvitationInvalid: the invitation is no good (400).
            PasswordRejected, PasswordUnreadable: the policy does not take the password (400).
            UsernameTaken: by somebody else, whoever has the address (409).
            EmailTaken: only where proof is optional, or proven by the invitation (409).
        """
        admission = self._runtime.get(Admission)
        await admission.examine(wish.invitation, wish.email)
        self._users.check_username(wish.username)
        self._check_password(wish)
        may_mail = await self._addresses.may_send(
            f"sign-up:{wish.email.normal_form}", self._settings.unasked_mails
        )
        password_hash = await self._runtime.get(Passwords).hash(wish.password)
        if failpoints.armed:
            await failpoints.reach("credentials.register.before_write")
        async with self._unit:
            admitted = await admission.admit(wish.invitation, wish.email, self._unit)
            account = await self._users.find_by_email(wish.email)
            if admitted.proves_address:
                return await self._proven(account, wish, password_hash, admitted)
            if account is None:
                return await self._created(wish, password_hash, admitted)
            await self._refuse(account, wish, password_hash, admitted, may_mail=may_mail)
            return None

    def _check_password(self, wish: NewRegistration) -> None:
        username = wish.username.text if wish.username else None
        context = (wish.email.normal_form, username, wish.full_name)
        PasswordPolicy(self._runtime.settings).check(wish.password, context=context)

    async def _created(self, wish: NewRegistration, password_hash: str, admitted: Admitted) -> Account | None:
        try:
            async with counting_only_if(True, self._unit):
                account = await self._users.create_user(wish.new_user())
                await self._set_password(account, password_hash)
        except EmailTaken:  # somebody was faster, after we looked
            account = await self._winner(wish)
            await self._refuse(account, wish, password_hash, admitted, may_mail=True)
            return None
        await self._grant(account, admitted)
        await self._prove(account, issues=True, mails=True)
        await self._welcome(account, admitted)
        return None if self._requires_proof else account

    async def _proven(
        self, account: Account | None, wish: NewRegistration, password_hash: str, admitted: Admitted
    ) -> Account:
        """Make the account of whoever proved the address by his invitation, or give him the unproven one.

        No answer tells a stranger anything: who has the invitation reads the mail of the address.
        """
        if account is None:
            new = wish.new_user(email_verified=True, email_proven=True)
            account = await self._users.create_user(new)
            await self._set_password(account, password_hash)
            await self._grant(account, admitted)
            proven = UserEmailVerified(at=self._runtime.clock.now(), user_id=account.id)
            await self._runtime.get(EventBus).emit(proven, self._unit)
        elif account.email_verified or not account.is_active:
            raise EmailTaken
        else:
            account = await self._addresses.prove_by_invitation(account, wish.claim(password_hash, admitted))
        await self._welcome(account, admitted)
        return await self._users.get_user(account.id)

    async def _grant(self, account: Account, admitted: Admitted) -> None:
        if admitted.role is not None:
            grants = Grants(self._runtime, self._unit)
            await grants.grant_role(PrincipalId(account.id), admitted.role)

    async def _welcome(self, account: Account, admitted: Admitted) -> None:
        if admitted.complete is not None:
            await admitted.complete(account)
        event = UserRegistered(at=self._runtime.clock.now(), user_id=account.id)
        await self._runtime.get(EventBus).emit(event, self._unit)

    async def _refuse(
        self,
        account: Account,
        wish: NewRegistration,
        password_hash: str,
        admitted: Admitted,
        *,
        may_mail: bool,
    ) -> None:
        """Do the same work for a taken address: an unproven one gets a claim, a proven one a notice."""
        async with counting_only_if(False, self._unit):
            rehearsed = await self._users.rehearse_user(wish.new_user())
            await self._set_password(rehearsed, password_hash)
        claim = None if account.email_verified else wish.claim(password_hash, admitted)
        mails = may_mail and (claim is not None or self._requires_proof)
        await self._prove(account, issues=claim is not None and may_mail, mails=mails, claim=claim)
        record(
            self._runtime,
            self._unit,
            "registration.refused",
            outcome=Outcome.REFUSED,
            subject=("user", account.id),
            reason="email_taken",
        )
        event = RegistrationRepeated(at=self._runtime.clock.now(), user_id=account.id)
        await self._runtime.get(EventBus).emit(event, self._unit)
        if not self._requires_proof:
            raise EmailTakenKept

    async def _prove(
        self, account: Account, *, issues: bool, mails: bool, claim: Claim | None = None
    ) -> None:
        """Make a token and write a mail, each only if it counts: new, claimed, and taken cost the same."""
        async with counting_only_if(issues, self._unit):
            token = await self._addresses.issue_proof(account, claim=claim)
        async with counting_only_if(mails, self._unit):
            if issues:
                self._addresses.mail_proof(account, token, claim=claim)
            else:
                CredentialMails(self._runtime, self._unit).already_registered(account)

    async def _winner(self, wish: NewRegistration) -> Account:
        account = await self._users.find_by_email(wish.email)
        if account is None:
            raise EmailTaken
        return account

    async def _set_password(self, account: Account, password_hash: str) -> None:
        now = self._runtime.clock.now()
        await PasswordRepository(self._unit.session).put(account.id, password_hash, now)

    @property
    def _requires_proof(self) -> bool:
        return self._settings.requires_proof(self._runtime.settings)


NOBODY_YET = UUID(int=0)
"""The subject of the token that makes the first administrator."""


class Setup:
    """The first administrator, who has no one to make him."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._tokens = OneTimeTokens(runtime, unit)
        self._ttl = runtime.section(CredentialsSettings).setup_ttl

    async def issue_link(self) -> str | None:
        """Return a link that makes the first administrator once; None where there is one. Earlier links are void."""
        settings = self._runtime.settings
        async with self._unit:
            if await has_superuser(self._unit.session):
                return None
            token = await self._tokens.issue(TokenPurpose.FIRST_ADMINISTRATOR, NOBODY_YET, ttl=self._ttl)
        return f"{settings.public_url}/setup?token={token.secret}"

    async def check_link(self, token: str) -> None:
        """Tell whether a link is good, and change nothing, for the page behind it.

        Raises:
            TokenInvalid, TokenUsed, TokenExpired: it is not (400, 410).
        """
        await self._tokens.peek(TokenPurpose.FIRST_ADMINISTRATOR, token)

    async def create_first_administrator(self, token: str, wish: NewRegistration) -> Account:
        """Make the first administrator; whoever has the link runs the server, so the address counts as proven.

        Raises:
            TokenInvalid, TokenUsed, TokenExpired: the link is no good (400, 410).
            SetupFinished: there is an administrator already (409).
            PasswordRejected: the policy does not take the password (400).
        """
        await self.check_link(token)
        password_hash = await self._hash(wish)
        async with self._unit:
            await self._tokens.redeem(TokenPurpose.FIRST_ADMINISTRATOR, token)
            if await has_superuser(self._unit.session):
                raise SetupFinished
            return await self._made(wish, password_hash)

    async def create_administrator(self, wish: NewRegistration) -> Account:
        """Make an administrator from the command line, however many there are; the address counts as proven.

        Raises:
            EmailTaken, UsernameTaken: by a living person (409).
            PasswordRejected: the policy does not take the password (400).
        """
        password_hash = await self._hash(wish)
        async with self._unit:
            return await self._made(wish, password_hash)

    async def _hash(self, wish: NewRegistration) -> str:
        username = wish.username.text if wish.username else None
        context = (wish.email.normal_form, username, wish.full_name)
        PasswordPolicy(self._runtime.settings).check(wish.password, context=context)
        return await self._runtime.get(Passwords).hash(wish.password)

    async def _made(self, wish: NewRegistration, password_hash: str) -> Account:
        users = Users(self._runtime, self._unit)
        account = await users.create_user(wish.new_user(email_verified=True))
        now = self._runtime.clock.now()
        await PasswordRepository(self._unit.session).put(account.id, password_hash, now)
        grants = Grants(self._runtime, self._unit)
        await grants.grant_role(PrincipalId(account.id), PlatformRole.SUPERUSER)
        CredentialMails(self._runtime, self._unit).welcome_administrator(account)
        return await users.get_user(account.id)
