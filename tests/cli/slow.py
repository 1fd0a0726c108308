"""A feature whose route and job take their time, for tests of how a server ends."""

import asyncio
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request

from portico.feature import Feature
from portico.http.access import public
from portico.http.schemas import ResponseModel
from portico.messaging import JobRun, Jobs, job
from portico.runtime import Runtime

router = APIRouter(prefix="/slow", tags=["slow"])


class Done(ResponseModel):
    """It is done."""

    seconds: float


@job("slow.work", queue="slow", time_limit=timedelta(minutes=1))
async def slow_work(run: JobRun, *, seconds: float) -> None:
    """Take its time."""
    await asyncio.sleep(seconds)


@router.get("", dependencies=[Depends(public)])
async def wait(seconds: Annotated[float, Query(ge=0, le=60)] = 0) -> Done:
    """Answer late."""
    await asyncio.sleep(seconds)
    return Done(seconds=seconds)


@router.post("", dependencies=[Depends(public)])
async def work(request: Request, seconds: Annotated[float, Query(ge=0, le=60)] = 0) -> Done:
    """Leave the work to a job."""
    runtime: Runtime = request.app.state.runtime
    async with (unit := runtime.unit()):
        runtime.get(Jobs).enqueue(unit, slow_work, seconds=seconds)
    return Done(seconds=seconds)


feature = Feature(name="slow", routers=[router], jobs=[slow_work])
