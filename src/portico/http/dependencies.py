"""What routes ask for: the runtime, the unit of work, the caller, a service.

All of them are coroutines: FastAPI sends a plain function through a thread, which costs more than the route.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Protocol

from fastapi import Depends
from starlette.requests import Request

from portico.core.ids import OrganizationId
from portico.db.unit import Reads, Unit
from portico.http.access import entered_organization, find_principal, require_principal
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


async def get_organization(request: Request) -> OrganizationId:
    """Return the organization in which the route's permission is held.

    Raises:
        RuntimeError: the route asks for none such.
    """
    return entered_organization(request)


OrganizationDep = Annotated[OrganizationId, Depends(get_organization)]


async def get_tenant_unit(unit: UnitDep, organization_id: OrganizationDep) -> Unit:
    """Return the request's unit of work, which may touch the organization's rows of scoped tables from here on."""
    unit.scope_to(organization_id)
    return unit


async def get_tenant_reads(runtime: RuntimeDep, organization_id: OrganizationDep) -> Reads:
    """Return the way to read the organization's rows: `async with reads() as session`."""
    return Reads(runtime.database, organization_id)


TenantUnitDep = Annotated[Unit, Depends(get_tenant_unit)]
TenantReadsDep = Annotated[Reads, Depends(get_tenant_reads)]


class Service(Protocol):
    """The shape of a service: made for one request from the runtime and the unit of work."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None: ...


def service[S: Service](kind: type[S]) -> Callable[..., Awaitable[S]]:
    """Return a dependency that makes the service: `Annotated[Registration, Depends(service(Registration))]`."""

    async def make(runtime: RuntimeDep, unit: UnitDep) -> S:
        return kind(runtime, unit)

    return make


def tenant_service[S: Service](kind: type[S]) -> Callable[..., Awaitable[S]]:
    """Return a dependency that makes a service of the organization: its unit is a `TenantUnitDep`."""

    async def make(runtime: RuntimeDep, unit: TenantUnitDep) -> S:
        return kind(runtime, unit)

    return make
