"""Health: `/health` for the process, `/health/ready` for a load balancer, `/health/detailed` for administrators.

The public ones say `ok` or 503 and nothing else: no version, no part's name, no address (ASVS 5.0 V13.4.6).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol

import structlog
from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy import text
from starlette.requests import Request

from portico.core.masking import clean
from portico.http.access import public, requires
from portico.http.draining import is_draining
from portico.http.errors import NotReady
from portico.http.markers import limited
from portico.http.permissions import HealthPermission
from portico.http.problems import describes
from portico.http.schemas import ResponseModel
from portico.runtime import Runtime

READY_WITHIN_SECONDS = 2.0
READY_BELIEVED_SECONDS = 1.0
CHECK_WITHIN_SECONDS = 5.0
MAX_DETAIL = 200

log = structlog.get_logger("portico.health")

type ReadinessCheck = Callable[[Runtime], Awaitable[object]]


class NamedCheck(Protocol):
    """A part that `/health/detailed` asks; `portico.feature.HealthCheck` is one."""

    @property
    def name(self) -> str:
        """Name the part."""
        ...

    @property
    def run(self) -> Callable[[Runtime], Awaitable[str]]:
        """Return what asks it: a short sentence, or an error."""
        ...


class Health(ResponseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class PartHealth(ResponseModel):
    """How one part is."""

    name: str
    status: Literal["ok", "failing"]
    detail: str
    ms: float


class DetailedHealth(ResponseModel):
    """How all parts are."""

    status: Literal["ok", "failing"]
    parts: list[PartHealth]


async def database_answers(runtime: Runtime) -> None:
    """Ask the database for nothing; raises what the driver or the pool raises."""
    async with runtime.reads() as session:
        await session.execute(text("SELECT 1"))


class Readiness:
    """Whether this process can serve. What was found is believed for a second, however often it is asked."""

    def __init__(self, runtime: Runtime, checks: Sequence[ReadinessCheck]) -> None:
        self._runtime = runtime
        self._checks = (database_answers, *checks)
        self._known_at = float("-inf")
        self._is_ready = False
        self._lock = asyncio.Lock()

    async def is_ready(self) -> bool:
        """Return whether the database answers within two seconds and all other checks pass."""
        async with self._lock:
            if time.monotonic() - self._known_at > READY_BELIEVED_SECONDS:
                self._is_ready = await self._ask()
                self._known_at = time.monotonic()
            return self._is_ready

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(READY_WITHIN_SECONDS):
                for check in self._checks:
                    await check(self._runtime)
        except Exception as error:  # noqa: BLE001 - whatever is wrong, the answer is no; recorded here
            log.warning("not_ready", error=repr(error))
            return False
        return True


async def _asked(part: NamedCheck, runtime: Runtime) -> PartHealth:
    begun = time.perf_counter()
    status: Literal["ok", "failing"] = "ok"
    try:
        async with asyncio.timeout(CHECK_WITHIN_SECONDS):
            detail = await part.run(runtime)
    except Exception as error:  # noqa: BLE001 - one failing part must not hide the others; shown to administrators
        status, detail = "failing", f"{type(error).__name__}: {error}"
    shown = str(clean(detail))[:MAX_DETAIL]
    milliseconds = round((time.perf_counter() - begun) * 1000, 1)
    return PartHealth(name=part.name, status=status, detail=shown, ms=milliseconds)


router = APIRouter(prefix="/health", tags=["health"])
"""The routes, mounted at the root; what they ask stands in the application, which `install_health` tells."""


def install_health(
    app: FastAPI, runtime: Runtime, *, readiness: Sequence[ReadinessCheck], parts: Sequence[NamedCheck]
) -> None:
    """Give `app` the routes, and say what they ask.

    The routes are made once and close over nothing: FastAPI remembers each function that it has looked at for the
    life of the process, and would keep every application in memory by them.
    """
    app.state.readiness = Readiness(runtime, readiness)
    app.state.health_parts = tuple(parts)
    app.include_router(router)


@router.get("", dependencies=[Depends(public), Depends(limited("none"))])
async def health() -> Health:
    """Tell that the process answers."""
    return Health()


@router.get("/ready", dependencies=[Depends(public), Depends(limited("none"))], responses=describes(NotReady))
async def ready(request: Request) -> Health:
    """Tell whether requests can be served: the database answers and has this release's tables."""
    readiness: Readiness = request.app.state.readiness
    if is_draining(request.scope) or not await readiness.is_ready():
        raise NotReady
    return Health()


@router.get("/detailed", dependencies=[Depends(requires(HealthPermission.READ))])
async def detailed(request: Request) -> DetailedHealth:
    """Ask every part how it is."""
    runtime: Runtime = request.app.state.runtime
    parts: Sequence[NamedCheck] = request.app.state.health_parts
    asked = await asyncio.gather(*(_asked(part, runtime) for part in parts))
    is_ok = all(part.status == "ok" for part in asked)
    return DetailedHealth(status="ok" if is_ok else "failing", parts=list(asked))
