"""What can go wrong with organizations.

OrganizationNotFound   organization_not_found   404   `portico.http.access`: also for whoever is no member
MemberNotFound         member_not_found         404
TeamNotFound           team_not_found           404
NotPermitted           permission_denied        403   `portico.http.access`
CreationClosed         organization_creation_closed  403
LastOwner              last_owner               409   `portico.access`
OnlyOwner              last_owner               409   of closing an account; names the organizations
SlugTaken              slug_taken               409
SlugReserved           slug_reserved            409
TooManyOrganizations   organization_limit       409
AlreadyMember          already_member           409
LocksOut               settings_would_lock_you_out  409
TransferPointless      already_owner            409
NameMalformed          name_malformed           422
SlugMalformed          slug_malformed           422
SignInMethodUnknown    sign_in_method_unknown   422
NothingTicked          role_missing             422   only on pages
NotConfirmed           confirmation_wrong       422   only on pages
InvitationElsewhere    invitation_for_another   403
AddressUnproven        address_unproven         403
InvitationNotFound     invitation_not_found     404
InvitationVoid         invitation_void          409
AlreadyInvited         already_invited          409
TooManyInvitations     invitation_limit         409
InvitationOver         invitation_over          410
InvitationsLimited     too_many_invitations     429
DomainNotFound         domain_not_found         404
OwnershipNotJoined     role_too_strong          409
DomainAdded            domain_added             409
TooManyDomains         domain_limit             409
DomainTaken            domain_taken             409   kept
DomainRecordMissing    domain_record_missing    409   kept
DomainUnverified       domain_unverified        409
DomainRefused          domain_refused           422
DomainChecksLimited    too_many_domain_checks   429
DnsAway                dns_unavailable          503   `portico.organizations.resolving`
"""

from portico.access.errors import LastOwner
from portico.core.errors import Conflict, FieldFault, Forbidden, Gone, Invalid, NotFound, RateLimited


class MemberNotFound(NotFound):
    """The organization has no such member."""

    code, title = "member_not_found", "There is no such member"


class TeamNotFound(NotFound):
    """The organization has no such team."""

    code, title = "team_not_found", "There is no such team"


class CreationClosed(Forbidden):
    """Here only administrators of the deployment make organizations."""

    code, title = "organization_creation_closed", "Only administrators make organizations here"


class OnlyOwner(LastOwner):
    """Who closes his account would leave organizations without an owner; `organizations` names them."""

    title = "Make somebody else the owner first"


class SlugTaken(Conflict):
    """Another organization or team has the slug, or one that looks the same."""

    code, title = "slug_taken", "This short name is taken"

    def __init__(self) -> None:
        super().__init__(errors=[FieldFault(self.code, self.title, "slug")])


class SlugReserved(Conflict):
    """The slug belongs to the deployment, or looks as if it did."""

    code, title = "slug_reserved", "This short name is reserved"

    def __init__(self) -> None:
        super().__init__(errors=[FieldFault(self.code, self.title, "slug")])


class TooManyOrganizations(Conflict):
    """The person owns as many organizations as one may."""

    code, title = "organization_limit", "You own as many organizations as one person may"


class AlreadyMember(Conflict):
    """The person belongs to the organization already."""

    code, title = "already_member", "This person is a member already"


class LocksOut(Conflict):
    """Whoever changes how one must sign in has not signed in like that himself."""

    code, title = "settings_would_lock_you_out", "You have not signed in like that yourself"


class TransferPointless(Conflict):
    """Who gives and who gets are one."""

    code, title = "already_owner", "This person is the owner already"


class NameMalformed(Invalid):
    """The name is empty, too long, or holds control characters."""

    code, title = "name_malformed", "The name is not valid"

    def __init__(self, message: str = "") -> None:
        super().__init__(errors=[FieldFault(self.code, message or self.title, "name")])


class SlugMalformed(Invalid):
    """The slug holds something else than small letters, digits and hyphens."""

    code, title = "slug_malformed", "The short name is not valid"

    def __init__(self, message: str = "") -> None:
        super().__init__(errors=[FieldFault(self.code, message or self.title, "slug")])


class SignInMethodUnknown(Invalid):
    """Nobody could sign in like that."""

    code, title = "sign_in_method_unknown", "There is no such way to sign in"

    def __init__(self) -> None:
        super().__init__(errors=[FieldFault(self.code, self.title, "methods")])


class InvitationNotFound(NotFound):
    """The organization has no such invitation, or it is not for the person who asks."""

    code, title = "invitation_not_found", "There is no such invitation"


class InvitationOver(Gone):
    """The invitation was answered or withdrawn, or has expired."""

    code, title = "invitation_over", "This invitation is over"


class InvitationVoid(Conflict):
    """Who invited may no longer give what was offered, or the organization is switched off: ask for another one."""

    code, title = "invitation_void", "This invitation does not count any more; ask for another one"


class InvitationElsewhere(Forbidden):
    """The invitation is for another address than that of the account."""

    code, title = "invitation_for_another", "This invitation is for another address"


class AddressUnproven(Forbidden):
    """The address is that of the account, and nobody has confirmed it."""

    code, title = "address_unproven", "Confirm your e-mail address first"


class AlreadyInvited(Conflict):
    """There is an open invitation to this address."""

    code, title = "already_invited", "There is an open invitation to this address; send it again"

    def __init__(self) -> None:
        super().__init__(errors=[FieldFault(self.code, self.title, "email")])


class TooManyInvitations(Conflict):
    """The organization has as many open invitations as one may."""

    code, title = "invitation_limit", "Too many invitations are open; withdraw some of them"


class InvitationsLimited(RateLimited):
    """Too many invitations were mailed: by the organization, by the person who invites, or to this address."""

    code, title = "too_many_invitations", "Too many invitations were sent lately"


class OwnershipNotJoined(Conflict):
    """Nobody becomes an owner by having an address of a domain."""

    code, title = "role_too_strong", "Nobody becomes an owner by a domain"

    def __init__(self) -> None:
        super().__init__(errors=[FieldFault(self.code, self.title, "role")])


class DomainNotFound(NotFound):
    """The organization has not named such a domain."""

    code, title = "domain_not_found", "There is no such domain"


class DomainRefused(Invalid):
    """What was given is no domain, or one that many people share."""

    code, title = "domain_refused", "This domain cannot be yours"

    def __init__(self, message: str) -> None:
        super().__init__(errors=[FieldFault(self.code, message, "domain")])


class DomainAdded(Conflict):
    """The organization has named the domain already."""

    code, title = "domain_added", "This domain stands in the list already"

    def __init__(self) -> None:
        super().__init__(errors=[FieldFault(self.code, self.title, "domain")])


class TooManyDomains(Conflict):
    """The organization has named as many domains as one may."""

    code, title = "domain_limit", "An organization may not name more domains"


class DomainTaken(Conflict):
    """Another organization has proven the domain, and its record still stands in DNS."""

    code, title = "domain_taken", "Another organization has proven this domain"
    persist = True


class DomainRecordMissing(Conflict):
    """DNS does not have the record; it may take a while until a change is seen everywhere."""

    code, title = "domain_record_missing", "The record is not in DNS yet"
    persist = True


class DomainUnverified(Conflict):
    """Nobody joins by a domain that is not proven."""

    code, title = "domain_unverified", "Verify the domain first"


class DomainChecksLimited(RateLimited):
    """DNS was asked too often for this organization."""

    code, title = "too_many_domain_checks", "DNS was asked very often lately"


class NothingTicked(Invalid):
    """A member without any role would be none."""

    code, title = "role_missing", "Choose at least one role"


class NotConfirmed(Invalid):
    """What was typed to confirm is not the short name."""

    code, title = "confirmation_wrong", "This is not the short name of the organization"

    def __init__(self) -> None:
        super().__init__(errors=[FieldFault(self.code, self.title, "confirmation")])
