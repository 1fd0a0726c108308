"""What a permission check adds to a request, in microseconds.

The common case: a member whose rights in the active organization this process has read before. Measured inside the
process, against a route that asks nothing, so that neither network nor JSON drowns it; medians of alternating rounds.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace

from starlette.requests import Request
from starlette.types import Scope

from benchmarks.figures import Figure, at_most
from benchmarks.servers import portico
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


async def microseconds_a_check() -> dict[str, float]:
    """Return what each kind of check adds, by its name; the database must be migrated."""
    app = create_app(Settings(), [*default_features(), papers()])
    async with app.router.lifespan_context(app):
        member = await _member(app.state.runtime)
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


def price_of_a_check(database: str, environment: Mapping[str, str]) -> Iterator[Figure]:
    """Yield what a check adds, measured in a process of its own."""
    portico(["migrate"], dict(environment))
    command = [sys.executable, "-m", "benchmarks.rights"]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=True)
    for name, value in json.loads(done.stdout).items():
        yield at_most(database, f"permission check {name}", value, "µs", most=GOAL_MICROSECONDS)


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


if __name__ == "__main__":
    print(json.dumps(asyncio.run(microseconds_a_check())))
