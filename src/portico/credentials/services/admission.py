"""Who may sign up: by the mode of registration, and by registration tokens."""

from datetime import timedelta
from uuid import UUID

from portico.access.types import PlatformRole
from portico.audit.services import record
from portico.core.crypto import digest
from portico.core.entropy import random_token
from portico.core.ids import PrincipalId, UserId, new_id
from portico.credentials.errors import (
    InvitationInvalid,
    InvitationRequired,
    RegistrationClosed,
    RegistrationTokenNotFound,
)
from portico.credentials.events import (
    RegistrationTokenCreated,
    RegistrationTokenRevoked,
    RegistrationTokenUsed,
)
from portico.credentials.models import RegistrationToken
from portico.credentials.repositories import RegistrationTokenRepository
from portico.credentials.settings import CredentialsSettings
from portico.credentials.types import Admitted, Invited, IssuedRegistrationToken, RegistrationTokenFacts
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.messaging import EventBus
from portico.runtime import Runtime
from portico.users.addresses import Address
from portico.users.settings import UsersSettings
from portico.users.types import RegistrationMode

PREFIX = "ptr_"
LONGEST_SECRET = 100


class TokenAdmission:
    """The admission of a deployment: open to all, by registration token, or closed."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._mode = runtime.section(UsersSettings).registration

    async def examine(self, invitation: str | None, address: Address) -> None:
        """Refuse whoever cannot be admitted; a token given where none is needed must be good all the same."""
        self.check_mode(invitation)
        if invitation is None:
            return
        async with self._runtime.reads() as session:
            now = self._runtime.clock.now()
            if not await RegistrationTokenRepository(session).is_usable(_hash_of(invitation), now):
                raise InvitationInvalid

    async def admit(self, invitation: str | None, address: Address, unit: Unit) -> Admitted:
        """Take one use of the token inside the transaction; among racers each use goes to one."""
        self.check_mode(invitation)
        if invitation is None:
            return Admitted()
        now = self._runtime.clock.now()
        used = await RegistrationTokenRepository(unit.session).use(_hash_of(invitation), now)
        if used is None:
            raise InvitationInvalid
        token_id, role = used
        record(self._runtime, unit, "registration_token.used", subject=("registration_token", token_id))
        await self._runtime.get(EventBus).emit(RegistrationTokenUsed(at=now, token_id=token_id), unit)
        return Admitted(role=PlatformRole(role) if role else None)

    async def find_invited(self, invitation: str) -> Invited | None:
        """Return nothing: registration tokens name nobody."""
        return None

    def check_mode(self, invitation: str | None) -> None:
        """Refuse where nobody may sign up, or nobody without an invitation of some kind.

        Raises:
            RegistrationClosed, InvitationRequired: so it is (403).
        """
        if self._mode is RegistrationMode.CLOSED:
            raise RegistrationClosed
        if self._mode is RegistrationMode.INVITE and invitation is None:
            raise InvitationRequired


class RegistrationTokens:
    """Makes, lists and withdraws registration tokens; for administrators."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def create_token(
        self,
        *,
        actor: Principal | None = None,
        note: str | None = None,
        role: PlatformRole | None = None,
        max_uses: int = 1,
        ttl: timedelta | None = None,
    ) -> IssuedRegistrationToken:
        """Make a token and return its secret, which is never seen again."""
        secret = PREFIX + random_token(self._runtime.entropy)
        now = self._runtime.clock.now()
        expires_at = now + (ttl or self._runtime.section(CredentialsSettings).invitation_ttl)
        row = RegistrationToken(
            id=new_id(),
            secret_hash=digest(secret),
            note=note,
            role=role.value if role else None,
            max_uses=max_uses,
            uses=0,
            created_by=actor.id if actor else None,
            created_at=now,
            expires_at=expires_at,
        )
        async with self._unit:
            RegistrationTokenRepository(self._unit.session).add(row)
            subject = ("registration_token", row.id)
            details = {"role": row.role, "max_uses": max_uses}
            record(
                self._runtime,
                self._unit,
                "registration_token.created",
                actor=actor,
                subject=subject,
                details=details,
            )
            created = RegistrationTokenCreated(
                at=now, token_id=row.id, max_uses=max_uses, expires_at=expires_at
            )
            await self._runtime.get(EventBus).emit(created, self._unit)
        return IssuedRegistrationToken(id=row.id, secret=secret, expires_at=expires_at, max_uses=max_uses)

    async def list_tokens(
        self, *, offset: int = 0, limit: int = 50
    ) -> tuple[list[RegistrationTokenFacts], int]:
        """Return a page of tokens, the newest first, and how many there are."""
        async with self._runtime.reads() as session:
            tokens = RegistrationTokenRepository(session)
            rows = await tokens.list_page(offset=offset, limit=limit)
            return [_facts(row) for row in rows], await tokens.count()

    async def revoke_token(self, token_id: UUID, *, actor: Principal | None = None) -> None:
        """Withdraw a token; who signed up with it stays.

        Raises:
            RegistrationTokenNotFound: none such, or withdrawn before (404).
        """
        async with self._unit:
            now = self._runtime.clock.now()
            if not await RegistrationTokenRepository(self._unit.session).revoke(token_id, now):
                raise RegistrationTokenNotFound
            subject = ("registration_token", token_id)
            record(self._runtime, self._unit, "registration_token.revoked", actor=actor, subject=subject)
            revoked = RegistrationTokenRevoked(at=now, token_id=token_id)
            await self._runtime.get(EventBus).emit(revoked, self._unit)


def _hash_of(invitation: str) -> bytes:
    return digest(invitation[: LONGEST_SECRET + 1].encode(errors="replace"))


def _facts(row: RegistrationToken) -> RegistrationTokenFacts:
    return RegistrationTokenFacts(
        id=row.id,
        note=row.note,
        role=PlatformRole(row.role) if row.role else None,
        max_uses=row.max_uses,
        uses=row.uses,
        created_by=UserId(PrincipalId(row.created_by)) if row.created_by else None,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
