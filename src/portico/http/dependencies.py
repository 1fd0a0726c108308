"""What routes ask for: the runtime, the unit of work, the caller, a service."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Protocol

from fastapi import Depends
from starlette.requests import Request

from portico.db.unit import Unit
from portico.http.access import find_principal, require_principal
from portico.http.authentication import Principal
from portico.runtime import Runtime


def get_runtime(request: Request) -> Runtime:
    """Return the process's runtime."""
    runtime: Runtime = request.app.state.runtime
    return runtime


RuntimeDep = Annotated[Runtime, Depends(get_runtime)]


async def get_unit(request: Request) -> AsyncIterator[Unit]:
    """Lend the request's unit of work; what is left open when the route ends is committed, or rolled back on error.

    Ends before the response leaves (`scope="function"`), so that a failed commit is answered as a failure.
    """
    unit = get_runtime(request).unit()
    request.scope["portico.unit"] = unit
    try:
        yield unit
    except BaseException:
        await unit.abandon()
        raise


UnitDep = Annotated[Unit, Depends(get_unit, scope="function")]
PrincipalDep = Annotated[Principal, Depends(require_principal)]
MaybePrincipalDep = Annotated[Principal | None, Depends(find_principal)]


class Service(Protocol):
    """The shape of a service: made for one request from the runtime and the unit of work."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None: ...


def service[S: Service](kind: type[S]) -> Callable[..., S]:
    """Return a dependency that makes the service: `Annotated[Registration, Depends(service(Registration))]`."""

    def make(runtime: RuntimeDep, unit: UnitDep) -> S:
        return kind(runtime, unit)

    return make
