"""The catch-all of development: whatever is posted to `/dev/webhooks` is shown there, and at `/dev/webhooks.json`.

There only in development and tests. To deliver to this very server, let outbound requests reach loopback
(`PORTICO_OUTBOUND__ALLOW_LOOPBACK=true`).
"""

import asyncio
from itertools import islice
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from portico.core.errors import NotFound
from portico.http.access import public
from portico.http.dependencies import RuntimeDep
from portico.http.markers import body_limit, limited
from portico.http.schemas import Moment, ResponseModel
from portico.web.rendering import render
from portico.webhooks.captured import keep, read_folder

LARGEST = 262_144


def captured_folder(runtime: RuntimeDep) -> Path:
    """Return the folder of what was caught.

    Raises:
        NotFound: there is no catch-all here (404).
    """
    if not runtime.settings.is_development:
        raise NotFound
    return runtime.settings.data_dir / "webhooks"


FolderDep = Annotated[Path, Depends(captured_folder)]
LimitQuery = Annotated[int, Query(ge=1, le=200, description="At most this many")]

router = APIRouter(dependencies=[Depends(public)], include_in_schema=False)


class CapturedWebhookView(ResponseModel):
    """One message, as it arrived; names of headers in lower case."""

    id: UUID
    at: Moment
    path: str
    event_name: str
    headers: dict[str, str]
    body: str


@router.post(
    "/dev/webhooks",
    status_code=204,
    dependencies=[Depends(body_limit(LARGEST)), Depends(limited("none"))],
)
async def catch_webhook(request: Request, folder: FolderDep, runtime: RuntimeDep) -> None:
    """Take a message."""
    body, now = await request.body(), runtime.clock.now()
    await asyncio.to_thread(
        keep, folder, at=now, path=request.url.path, headers=dict(request.headers), body=body
    )


@router.get("/dev/webhooks.json")
def list_webhooks(folder: FolderDep, limit: LimitQuery = 50) -> list[CapturedWebhookView]:
    """Return what was caught, newest first."""
    return [CapturedWebhookView.model_validate(each) for each in islice(read_folder(folder), limit)]


@router.get("/dev/webhooks", response_class=HTMLResponse)
def show_webhooks(request: Request, folder: FolderDep, limit: LimitQuery = 50) -> HTMLResponse:
    """Show what was caught, newest first."""
    caught = list(islice(read_folder(folder), limit))
    return render(request, "webhooks/caught.html.jinja", language="en", caught=caught)
