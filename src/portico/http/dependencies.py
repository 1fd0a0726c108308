"""What routes ask for: the runtime, the unit of work, the caller, a service.

All of them are coroutines: FastAPI sends a plain function through a thread, which costs more than the route.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Protocol

from fastapi import Depends
from starlette.requests import Request

from portico.db.unit import Unit
from portico.http.access import find_principal, require_principal
from portico.http.authentication import Principal
from portico.http.idempotency import KEEPS_ANSWER, UNIT_KEY
from portico.runtime import Runtime


async def get_runtime(request: Request) -> Runtime:
    """Return the process's runtime."""
    runtime: Runtime = request.app.state.runtime
    return runtime


RuntimeDep = Annotated[Runtime, Depends(get_runtime)]


async def get_unit(request: Request) -> AsyncIterator[Unit]:
    """Lend the request's unit of work; what is left open when the route ends in an error is rolled back.

    Ends before the response leaves (`scope="function"`), so that a failed commit is answered as a failure. With an
    `Idempotency-Key` the commit is left to `portico.http.idempotency`, which adds the answer to the transaction.
    """
    runtime: Runtime = request.app.state.runtime
    unit = runtime.unit()
    request.scope[UNIT_KEY] = unit
    if request.scope.get(KEEPS_ANSWER):
        unit.hold()
    try:
        yield unit
    except BaseException:
        await unit.abandon()
        raise


async def get_principal(request: Request) -> Principal:
    """Return who is calling.

    Raises:
        Unauthenticated: nobody, or a credential that was rejected (401).
    """
    return require_principal(request)


async def get_maybe_principal(request: Request) -> Principal | None:
    """Return who is calling, or None for an anonymous request."""
    return find_principal(request)


UnitDep = Annotated[Unit, Depends(get_unit, scope="function")]
PrincipalDep = Annotated[Principal, Depends(get_principal)]
MaybePrincipalDep = Annotated[Principal | None, Depends(get_maybe_principal)]


class Service(Protocol):
    """The shape of a service: made for one request from the runtime and the unit of work."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None: ...


def service[S: Service](kind: type[S]) -> Callable[..., Awaitable[S]]:
    """Return a dependency that makes the service: `Annotated[Registration, Depends(service(Registration))]`."""

    async def make(runtime: RuntimeDep, unit: UnitDep) -> S:
        return kind(runtime, unit)

    return make
