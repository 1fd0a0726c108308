"""The page on which a person sees what looked like an attack on his account, and says whether it was he."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse, Response

from portico.alerts.permissions import AlertPermission
from portico.alerts.schemas import OwnAlertResponse
from portico.alerts.services import Alerts, country_name
from portico.core.errors import PorticoError
from portico.http.access import requires
from portico.http.markers import without_idempotency
from portico.http.schemas import RequestModel
from portico.users.account_pages import AccountPage
from portico.users.types import Account
from portico.web.forms import FormDep
from portico.web.translations import mark

PATH = "/account/security"

router = APIRouter(
    default_response_class=HTMLResponse, include_in_schema=False, dependencies=[Depends(without_idempotency)]
)


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An alert, and where it came from as the person would say it."""

    alert: OwnAlertResponse
    country: str | None


class AlertAnswer(RequestModel):
    """Which alert is answered."""

    alert_id: UUID


class SecurityPage(AccountPage):
    """The list."""

    template = "alerts/security.html.jinja"

    async def more(self, account: Account) -> dict[str, Any]:
        """Return what is not answered yet."""
        alerts = Alerts(self.runtime, self.runtime.unit())
        found = await alerts.list_open_of(account.id)
        return {
            "alerts": [
                ShownAlert(
                    alerts.shown_to_person(each), country_name(each.details.get("country"), account.locale)
                )
                for each in found
            ]
        }


SecurityPageDep = Annotated[SecurityPage, Depends(SecurityPage)]


@router.get(PATH, dependencies=[Depends(requires(AlertPermission.LIST_OWN))])
async def show_security(page: SecurityPageDep) -> Response:
    """Show the list."""
    return await page.show()


@router.post(f"{PATH}/resolve", dependencies=[Depends(requires(AlertPermission.RESOLVE_OWN))])
async def resolve_one(page: SecurityPageDep, form: FormDep) -> Response:
    """Take down that it was the person himself."""
    try:
        alert_id = form.parse(AlertAnswer).alert_id
        await Alerts(page.runtime, page.runtime.unit()).resolve_own(alert_id, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(PATH, mark("Thank you: that was you, then."))
