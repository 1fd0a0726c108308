"""What routes ask of sessions."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from portico.http.access import FRESH_KEY, ORGANIZATION_KEY, require_principal, unauthenticated
from portico.http.authentication import PRINCIPAL_KEY, CredentialKind, KeyAuthority, Principal, Rejection
from portico.http.dependencies import RuntimeDep, service
from portico.sessions.ports import ClientTokens
from portico.sessions.services import Sessions, SessionTokens, SignIn, live_session, principal_of

SignInDep = Annotated[SignIn, Depends(service(SignIn))]
SessionTokensDep = Annotated[SessionTokens, Depends(service(SessionTokens))]
SessionsDep = Annotated[Sessions, Depends(service(Sessions))]


async def fresh_principal(request: Request, runtime: RuntimeDep) -> Principal:
    """Return the caller as the database knows him now, roles included; for sensitive routes, which trust no cache.

    From here on he is the principal of the request, so that a `requires(…)` that follows asks about him.

    Raises:
        Unauthenticated: nobody is signed in, or the API key is no longer good (401).
        SessionEnded: the session or its person is no longer good (401).
    """
    principal = require_principal(request)
    request.scope[FRESH_KEY] = True
    if principal.credential is CredentialKind.API_KEY:
        fresh = _good(request, await runtime.get(KeyAuthority).read_again(principal))
    elif principal.credential is CredentialKind.OAUTH:
        fresh = _good(request, await runtime.get(ClientTokens).read_again(principal))
    elif principal.session_id is None:
        return principal
    else:
        fresh = principal_of(await live_session(runtime, principal.session_id), principal.credential)
    request.scope[PRINCIPAL_KEY] = fresh
    request.scope.pop(ORGANIZATION_KEY, None)
    return fresh


def _good(request: Request, read: Principal | Rejection) -> Principal:
    if isinstance(read, Rejection):
        raise unauthenticated(request, read)
    return read


FreshPrincipalDep = Annotated[Principal, Depends(fresh_principal)]
