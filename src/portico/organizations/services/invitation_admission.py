"""Lets in who signs up by an invitation: it was mailed to the address, so that whoever has it has proven the address.

Where registration is `open` or by `invite`, an invitation of an organization admits; where it is `closed`, nobody is:
invitations then reach people who have an account.
"""

from portico.core.errors import PorticoError
from portico.credentials.errors import InvitationInvalid
from portico.credentials.services import TokenAdmission
from portico.credentials.types import Admitted, Invited
from portico.db.unit import Unit
from portico.organizations.models import Invitation
from portico.organizations.repositories.invitations import InvitationRepository
from portico.organizations.services.invitation_answers import InvitationAnswers
from portico.organizations.services.offers import SECRETS, hash_of
from portico.organizations.types import OfferedMembership
from portico.runtime import Runtime
from portico.users.addresses import Address
from portico.users.types import Account


class InvitationAdmission:
    """Fills the port of `portico.credentials`: registration tokens as ever, and invitations of organizations."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._tokens = TokenAdmission(runtime)

    async def examine(self, invitation: str | None, address: Address) -> None:
        """Refuse whoever cannot be admitted; one answer for all that is wrong with an invitation."""
        if not _is_ours(invitation):
            await self._tokens.examine(invitation, address)
            return
        self._tokens.check_mode(invitation)
        offer = await self._find(invitation)
        if offer is None or offer.invitation.address != address.normal_form:
            raise InvitationInvalid

    async def admit(self, invitation: str | None, address: Address, unit: Unit) -> Admitted:
        """Lock organization and invitation, and let the account become a member once it is there."""
        if not _is_ours(invitation):
            return await self._tokens.admit(invitation, address, unit)
        self._tokens.check_mode(invitation)
        answers = InvitationAnswers(self._runtime, unit)
        row = await self._lock(answers, invitation, address, unit)

        async def complete(account: Account) -> None:
            await answers.complete(row, account)

        return Admitted(proves_address=True, complete=complete)

    async def find_invited(self, invitation: str) -> Invited | None:
        """Return what the sign-up page says of an invitation that is good."""
        offer = await self._find(invitation)
        if offer is None:
            return None
        return Invited(
            email=offer.invitation.email,
            to=offer.organization_name,
            path=f"/invitations?token={invitation}",
        )

    async def _lock(
        self, answers: InvitationAnswers, invitation: str | None, address: Address, unit: Unit
    ) -> Invitation:
        hashed = hash_of(invitation or "")
        known = await InvitationRepository(unit.session).find_by_secret(hashed) if hashed else None
        if known is None or known.address != address.normal_form:
            raise InvitationInvalid
        try:
            row = await answers.lock_offer(known)
        except PorticoError:
            raise InvitationInvalid from None
        if row.secret_hash != hashed:  # sent again since
            raise InvitationInvalid
        return row

    async def _find(self, invitation: str | None) -> OfferedMembership | None:
        try:
            return await InvitationAnswers(self._runtime, self._runtime.unit()).peek(invitation or "")
        except PorticoError:
            return None


def _is_ours(invitation: str | None) -> bool:
    return invitation is not None and invitation.startswith(SECRETS.prefix)
