"""The devices on which the person is signed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse, Response

from portico.core.errors import PorticoError
from portico.http.access import requires
from portico.http.markers import without_idempotency
from portico.sessions.permissions import SessionPermission
from portico.sessions.schemas import PageSessionEnd
from portico.sessions.services import Sessions, SessionView
from portico.sessions.types import SessionEnd
from portico.users.account_pages import AccountPage
from portico.users.types import Account
from portico.web.forms import FormDep
from portico.web.translations import mark

PATH = "/account/devices"
ICONS = (
    ("phone", ("iOS", "Android", "iPhone", "Mobile")),
    ("desktop", ("Windows", "Mac OS X", "macOS", "Linux", "Ubuntu", "Chrome OS", "Debian", "Fedora")),
)
"""Which picture stands beside a device, by words in its name; the first that fits."""

router = APIRouter(
    default_response_class=HTMLResponse, include_in_schema=False, dependencies=[Depends(without_idempotency)]
)


@dataclass(frozen=True, slots=True)
class Device:
    """A session and its picture."""

    session: SessionView
    icon: str


class DevicesPage(AccountPage):
    """The list."""

    template = "sessions/devices.html.jinja"

    async def more(self, account: Account) -> dict[str, Any]:
        """Return the live sessions, this one first."""
        sessions = Sessions(self.runtime, self.runtime.unit())
        found = await sessions.list_sessions(account.id, current_id=self.principal.session_id)
        ordered = sorted(found, key=lambda session: not session.is_current)
        return {"devices": [Device(session, icon_of(session)) for session in ordered]}


DevicesPageDep = Annotated[DevicesPage, Depends(DevicesPage)]


@router.get(PATH, dependencies=[Depends(requires(SessionPermission.LIST_OWN))])
async def show_devices(page: DevicesPageDep) -> Response:
    """Show the list."""
    return await page.show()


@router.post(f"{PATH}/end", dependencies=[Depends(requires(SessionPermission.END_OWN))])
async def end_one(page: DevicesPageDep, form: FormDep) -> Response:
    """Sign out one device."""
    try:
        session_id: UUID = form.parse(PageSessionEnd).session_id
        await _sessions(page).end_session(page.user_id, session_id, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(PATH, mark("The device is signed out."))


@router.post(f"{PATH}/end-others", dependencies=[Depends(requires(SessionPermission.END_OWN))])
async def end_others(page: DevicesPageDep) -> Response:
    """Sign out all devices but this one."""
    await _sessions(page).end_sessions_of(
        page.user_id, SessionEnd.REVOKED, except_id=page.principal.session_id, actor=page.principal
    )
    return page.done(PATH, mark("All other devices are signed out."))


def icon_of(session: SessionView) -> str:
    """Return the name of the picture for a device."""
    return next((icon for icon, words in ICONS if _says(session.device_name, words)), "terminal")


def _says(name: str, words: Sequence[str]) -> bool:
    return any(word in name for word in words)


def _sessions(page: DevicesPage) -> Sessions:
    return Sessions(page.runtime, page.runtime.unit())
