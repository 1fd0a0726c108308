"""What a route asks of its caller: a permission, or the word `public`.

Every route declares one of them as a dependency; the application refuses to start on a route that declares
neither. Who holds which permission is the Authorizer's business, a port that `portico.access` fills.

What stands in `dependencies=[…]` of a route or router is asked before the body is read, so that nobody can make the
server buffer or parse anything for a route that is closed to him.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

from starlette.requests import Request

from portico.core.errors import Forbidden, NotFound, PorticoError, Unauthenticated
from portico.core.ids import OrganizationId
from portico.core.permissions import Permission, Reach
from portico.http.authentication import PRINCIPAL_KEY, REJECTION_KEY, Principal, Rejection
from portico.http.challenges import ResourceMetadata, challenge, scope_challenge
from portico.http.policies import Case, Policy, Verdict

ORGANIZATION_KEY: Final = "portico.organization"
"""Where the scope keeps the organization that a permission was asked in."""
ENTERED_KEY: Final = "portico.entered_organization"
"""Where it keeps the organization that the caller was let into by a permission."""
FRESH_KEY: Final = "portico.fresh"
"""Set by whoever read the caller anew: from here on rights are not taken from memory either."""
ORGANIZATION_PARAMETER: Final = "organization_id"


class NotPermitted(Forbidden):
    """The caller lacks the permission that the route asks for."""

    code = "permission_denied"


class ScopeTooNarrow(Forbidden):
    """The caller holds the permission, but this credential was not given it."""

    code, title = "insufficient_scope", "This credential is not good for that"


class PersonNeeded(Forbidden):
    """Only the person himself may do this: no API key, and nobody in his name."""

    code, title = "person_needed", "Only the person himself may do this"


class OrganizationRequired(Forbidden):
    """The route works in the active organization, and there is none."""

    code, title = "organization_required", "Choose an organization first"


class OrganizationNotFound(NotFound):
    """There is no such organization, or the caller has nothing to do with it."""

    code, title = "organization_not_found", "There is no such organization"


class OrganizationDisabled(Forbidden):
    """The organization was switched off."""

    code, title = "organization_disabled", "This organization is switched off"


class SecondFactorRequired(Forbidden):
    """The sign-in was too weak for this."""

    code, title = "second_factor_required", "Sign in with a second factor to do this"


class SignInMethodRefused(Forbidden):
    """The organization does not take this way of signing in."""

    code, title = "sign_in_method_refused", "Sign in in a way that this organization allows"


class SignInTooOld(Forbidden):
    """Who is signed in must prove anew who he is."""

    code, title = "reauthentication_required", "Sign in again to do this"


class NetworkRefused(Forbidden):
    """The request comes from an address from which this may not be done."""

    code, title = "network_refused", "This may not be done from here"


REFUSALS: Final[Mapping[Verdict, type[PorticoError]]] = {
    Verdict.NOT_HELD: NotPermitted,
    Verdict.SCOPE_TOO_NARROW: ScopeTooNarrow,
    Verdict.NOT_INTERACTIVE: PersonNeeded,
    Verdict.NO_ORGANIZATION: OrganizationRequired,
    Verdict.OUTSIDER: OrganizationNotFound,
    Verdict.ORGANIZATION_DISABLED: OrganizationDisabled,
    Verdict.SECOND_FACTOR_MISSING: SecondFactorRequired,
    Verdict.METHOD_REFUSED: SignInMethodRefused,
    Verdict.SIGN_IN_TOO_OLD: SignInTooOld,
    Verdict.NETWORK_REFUSED: NetworkRefused,
}


class Authorizer(Protocol):
    """Knows who may do what."""

    async def decide(
        self,
        principal: Principal,
        permission: Permission,
        organization_id: OrganizationId | None = None,
        *,
        fresh: bool = False,
    ) -> Verdict:
        """Return whether `principal` may use `permission` in the organization; `fresh` asks no memory."""
        ...

    def case(
        self, principal: Principal, permission: Permission, organization_id: OrganizationId | None
    ) -> Case[None]:
        """Return the question as policies see it."""
        ...

    async def note_refusal(self, case: Case[Any], verdict: Verdict) -> None:
        """Keep that somebody was refused (ASVS 5.0 V16.3.2)."""
        ...


async def public() -> None:
    """Declare that anyone may call the route."""


@dataclass(frozen=True, slots=True)
class Requires:
    """Dependency: let the request through if its principal may use `permission`; sign-in is required."""

    permission: Permission
    when: Policy | None = None

    async def __call__(self, request: Request) -> Principal:
        """Return the principal.

        A permission that is held in an organization is asked in that of the path (`{organization_id}`), else in the
        active one.

        Raises:
            Unauthenticated: nobody is signed in (401).
            OrganizationNotFound: the caller has nothing to do with the organization (404).
            one of `REFUSALS`: otherwise (403).
        """
        principal = require_principal(request)
        authorizer: Authorizer = request.app.state.runtime.get(Authorizer)
        organization_id = None
        if self.permission.reach is Reach.ORGANIZATION:
            organization_id = organization_of(request)
        fresh = FRESH_KEY in request.scope
        verdict = await authorizer.decide(principal, self.permission, organization_id, fresh=fresh)
        if verdict is Verdict.ALLOWED and self.when is None:
            return _entered(request, principal, organization_id)
        case = authorizer.case(principal, self.permission, organization_id)
        if verdict is Verdict.ALLOWED and self.when is not None:
            verdict = self.when.judge(case)
        if verdict is not Verdict.ALLOWED:
            await authorizer.note_refusal(case, verdict)
            raise REFUSALS[verdict](headers=self._headers(request, verdict))
        return _entered(request, principal, organization_id)

    def _headers(self, request: Request, verdict: Verdict) -> Mapping[str, str]:
        """Say to a client which scope it lacks, so that it can ask for it (RFC 6750, section 3.1)."""
        if verdict is not Verdict.SCOPE_TOO_NARROW:
            return {}
        metadata = request.app.state.runtime.find(ResourceMetadata)
        return {"WWW-Authenticate": scope_challenge(metadata, self.permission)}


def requires(permission: Permission, *, when: Policy | None = None) -> Requires:
    """Declare the permission of a route: `dependencies=[Depends(requires(UserPermission.READ))]`.

    `when` is a policy besides: `when=signed_in_within(timedelta(minutes=10))`.
    """
    return Requires(permission, when)


def _entered(request: Request, principal: Principal, organization_id: OrganizationId | None) -> Principal:
    if organization_id is not None:
        request.scope[ENTERED_KEY] = organization_id
    return principal


def entered_organization(request: Request) -> OrganizationId:
    """Return the organization that the caller may work in; the one of the path alone says nothing of him.

    Raises:
        RuntimeError: the route asks for no permission that is held in an organization.
    """
    entered: OrganizationId | None = request.scope.get(ENTERED_KEY)
    if entered is None:
        raise RuntimeError(
            "nobody checked the organization: declare `requires(…)` with a permission held in one"
        )
    return entered


def organization_of(request: Request) -> OrganizationId | None:
    """Return the organization that the request works in: that of its path, else the caller's active one.

    Raises:
        OrganizationNotFound: what stands in the path is no id (404).
    """
    known: OrganizationId | None = request.scope.get(ORGANIZATION_KEY)
    if known is not None:
        return known
    organization_id = _in_path(request)
    if organization_id is None:
        principal = find_principal(request)
        organization_id = principal.organization_id if principal is not None else None
    request.scope[ORGANIZATION_KEY] = organization_id
    return organization_id


def _in_path(request: Request) -> OrganizationId | None:
    given = request.path_params.get(ORGANIZATION_PARAMETER)
    if given is None:
        return None
    try:
        return OrganizationId(given if isinstance(given, UUID) else UUID(given))
    except ValueError:
        raise OrganizationNotFound from None


def find_principal(request: Request) -> Principal | None:
    """Return who is calling, or None for an anonymous request."""
    return request.scope.get(PRINCIPAL_KEY)


def require_principal(request: Request) -> Principal:
    """Return who is calling.

    Raises:
        Unauthenticated: nobody, or a credential that was rejected; then with its code (401).
    """
    principal = find_principal(request)
    if principal is not None:
        return principal
    rejection: Rejection | None = request.scope.get(REJECTION_KEY)
    raise unauthenticated(request, rejection)


def unauthenticated(request: Request, rejection: Rejection | None) -> Unauthenticated:
    """Return the 401 for an anonymous request or a rejected credential (RFC 6750, section 3)."""
    metadata = request.app.state.runtime.find(ResourceMetadata)
    if rejection is None:
        return Unauthenticated(headers={"WWW-Authenticate": challenge(metadata)})
    said = challenge(
        metadata,
        scheme=rejection.scheme,
        error=rejection.error,
        error_description=rejection.detail,
        **rejection.parameters,
    )
    headers = {"WWW-Authenticate": said, **rejection.headers}
    return Unauthenticated(rejection.detail, headers=headers, extensions={"reason": rejection.code})
