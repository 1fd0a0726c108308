"""The front page, and the files that all pages share."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from portico.core.errors import NotFound
from portico.http.access import find_principal, public
from portico.http.dependencies import RuntimeDep
from portico.web.assets import FOREVER, PREFIX
from portico.web.redirects import HOME
from portico.web.rendering import render, see_other
from portico.web.templating import Templates
from portico.web.translations import mark

router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

ADDRESSES = (
    (mark("Sign in"), "/login"),
    (mark("Create an account"), "/signup"),
    (mark("Your account"), "/account"),
    (mark("Captured mails"), "/dev/mail"),
    (mark("API reference"), "/docs"),
)


@router.get("/", dependencies=[Depends(public)])
async def show_front_page(request: Request, runtime: RuntimeDep) -> Response:
    """Lead to the account or to sign-in; in development show what runs here."""
    if find_principal(request) is not None:
        return see_other(request, HOME)
    if runtime.settings.is_development:
        return render(request, "web/welcome.html.jinja", addresses=ADDRESSES)
    return see_other(request, "/login")


@router.get(PREFIX + "{name}", dependencies=[Depends(public)])
async def get_asset(runtime: RuntimeDep, name: Annotated[str, Path(max_length=100)]) -> Response:
    """Return a file under its present name, to be kept for ever."""
    asset = runtime.get(Templates).assets.find(PREFIX + name)
    if asset is None:
        raise NotFound
    return Response(asset.content, media_type=asset.media_type, headers={"Cache-Control": FOREVER})


@router.get("/favicon.ico", dependencies=[Depends(public)])
async def get_icon(runtime: RuntimeDep) -> Response:
    """Return the icon to those who ask for it without looking at the page."""
    assets = runtime.get(Templates).assets
    icon = assets.find(assets.path("icon.svg"))
    if icon is None:
        raise NotFound
    return Response(
        icon.content, media_type=icon.media_type, headers={"Cache-Control": "public, max-age=86400"}
    )
