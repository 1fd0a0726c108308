"""What a permission check adds to a request, in microseconds: `python -m benchmarks.rights`.

The common case: a member whose rights in the active organization this process has read before. Measured inside the
process, against a route that asks nothing, so that neither network nor JSON drowns it; medians of alternating rounds.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from starlette.requests import Request
from starlette.types import Scope

from benchmarks.figures import Figure, at_most
from benchmarks.servers import portico, portico_environment
from portico.access.services import TenantGrants, Tenants, add_principal
from portico.app import create_app, default_features
from portico.core.permissions import Permission
from portico.core.settings import Settings
from portico.feature import Feature
from portico.http.access import public, requires
from portico.http.authentication import PRINCIPAL_KEY, CredentialKind, Principal, PrincipalKind
from portico.runtime import Runtime

ROUNDS, CHECKS = 15, 5_000
GOAL_MICROSECONDS = 20.0


class PaperPermission(Permission):
    """Rights of the product that is measured."""

    READ = "paper:paper:read"
    LIST_OWN = "paper:self:list"
    COUNT = "platform:paper:count"


def papers() -> Feature:
    """Return a feature whose members may read papers."""
    return Feature(name="papers", permissions=PaperPermission, roles={"member": {PaperPermission.READ}})


async def microseconds_a_check(environment: dict[str, str]) -> dict[str, float]:
    """Return what each kind of check adds, by its name; the database must be migrated."""
    os.environ.update(environment)
    app = create_app(Settings(), [*default_features(), papers()])
    async with app.router.lifespan_context(app):
        runtime: Runtime = app.state.runtime
        member = await _member(runtime)
        scopes: dict[str, tuple[Permission, Principal]] = {
            "in an organization": (PaperPermission.READ, member),
            "by an API key": (PaperPermission.READ, _with_key(member)),
            "over oneself": (PaperPermission.LIST_OWN, member),
            "over the platform": (
                PaperPermission.COUNT,
                replace(member, roles=frozenset({"superuser"})),
            ),
        }
        checks = {
            name: _asking(app, permission, principal) for name, (permission, principal) in scopes.items()
        }
        return await _measured(checks)


def figures(database: str, found: dict[str, float]) -> list[Figure]:
    """Return the figures for the table."""
    return [
        at_most(database, f"permission check {name}", value, "µs", most=GOAL_MICROSECONDS)
        for name, value in found.items()
    ]


async def _member(runtime: Runtime) -> Principal:
    async with (unit := runtime.unit()):
        principal_id = add_principal(runtime, unit, PrincipalKind.USER)
        owner_id = add_principal(runtime, unit, PrincipalKind.USER)
        await unit.session.flush()
        organization_id = await Tenants(runtime, unit).add_tenant()
        grants = TenantGrants(runtime, unit)
        await grants.set_roles(organization_id, owner_id, ["owner"], actor=None)
        await grants.set_roles(organization_id, principal_id, ["member"], actor=None)
    return Principal(
        id=principal_id,
        kind=PrincipalKind.USER,
        credential=CredentialKind.BEARER,
        organization_id=organization_id,
    )


def _with_key(member: Principal) -> Principal:
    return replace(member, credential=CredentialKind.API_KEY, scopes=frozenset({PaperPermission.READ.value}))


def _asking(app: object, permission: Permission, principal: Principal) -> Callable[[], Awaitable[object]]:
    needed = requires(permission)

    async def ask() -> None:
        scope: Scope = {"type": "http", "app": app, "path_params": {}, PRINCIPAL_KEY: principal}
        await needed(Request(scope))

    return ask


async def _asking_nothing() -> None:
    Request({"type": "http", "path_params": {}})
    await public()


async def _measured(checks: dict[str, Callable[[], Awaitable[object]]]) -> dict[str, float]:
    for check in checks.values():
        await check()
    rounds: dict[str, list[float]] = {name: [] for name in checks}
    for _ in range(ROUNDS):
        nothing = await _round(_asking_nothing)
        for name, check in checks.items():
            rounds[name].append((await _round(check)) - nothing)
    return {name: statistics.median(taken) for name, taken in rounds.items()}


async def _round(check: Callable[[], Awaitable[object]]) -> float:
    started = time.process_time_ns()
    for _ in range(CHECKS):
        await check()
    return (time.process_time_ns() - started) / CHECKS / 1000


def main() -> None:
    """Measure on an embedded database and print."""
    with tempfile.TemporaryDirectory() as folder:
        environment = portico_environment(Path(folder), None)
        portico(["migrate"], environment)
        for name, value in asyncio.run(microseconds_a_check(environment)).items():
            print(f"{name:24} {value:6.1f} µs")


if __name__ == "__main__":
    main()
