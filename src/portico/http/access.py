"""What a route asks of its caller: a permission, or the word `public`.

Every route declares one of them as a dependency; the application refuses to start on a route that declares
neither. Who holds which permission is the Authorizer's business, a port that `portico.access` fills.

What stands in `dependencies=[…]` of a route or router is asked before the body is read, so that nobody can make the
server buffer or parse anything for a route that is closed to him.
"""

from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request

from portico.core.errors import Forbidden, Unauthenticated
from portico.core.permissions import Permission
from portico.http.authentication import PRINCIPAL_KEY, REJECTION_KEY, Principal, Rejection

REALM = 'Bearer realm="portico"'


class Authorizer(Protocol):
    """Knows who may do what."""

    async def allows(self, principal: Principal, permission: Permission) -> bool:
        """Tell whether `principal` holds `permission`, credential and scopes considered."""
        ...


class NotPermitted(Forbidden):
    """The caller lacks the permission that the route asks for."""

    code = "permission_denied"


async def public() -> None:
    """Declare that anyone may call the route."""


@dataclass(frozen=True, slots=True)
class Requires:
    """Dependency: let the request through if its principal holds `permission`; sign-in is required."""

    permission: Permission

    async def __call__(self, request: Request) -> Principal:
        """Return the principal.

        Raises:
            Unauthenticated: nobody is signed in (401).
            NotPermitted: the permission is not held (403).
        """
        principal = require_principal(request)
        authorizer: Authorizer = request.app.state.runtime.get(Authorizer)
        if not await authorizer.allows(principal, self.permission):
            raise NotPermitted
        return principal


def requires(permission: Permission) -> Requires:
    """Declare the permission of a route: `dependencies=[Depends(requires(UserPermission.READ))]`."""
    return Requires(permission)


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
    raise unauthenticated(rejection)


def unauthenticated(rejection: Rejection | None) -> Unauthenticated:
    """Return the 401 for an anonymous request or a rejected credential (RFC 6750, section 3)."""
    if rejection is None:
        return Unauthenticated(headers={"WWW-Authenticate": REALM})
    challenge = f'{REALM}, error="invalid_token", error_description="{rejection.detail}"'
    return Unauthenticated(
        rejection.detail,
        headers={"WWW-Authenticate": challenge},
        extensions={"reason": rejection.code},
    )
