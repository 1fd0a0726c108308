"""The settings of an organization: its name, how one must sign in, and the ways out: hand over, leave, delete."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import Field, SecretStr, field_validator
from starlette.responses import HTMLResponse, Response

from portico.access.errors import LastOwner
from portico.access.types import SignInRules
from portico.core.errors import PorticoError
from portico.http.access import requires
from portico.http.markers import limited, without_idempotency
from portico.http.schemas import RequestModel
from portico.organizations.errors import NotConfirmed
from portico.organizations.organization_pages import HOME, OrganizationPage
from portico.organizations.pages.members import PageMember
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.schemas import MemberListQuery, UpdateOrganizationRequest
from portico.organizations.schemas.organizations import LONGEST_SESSION, SHORTEST_SESSION
from portico.organizations.services import (
    METHODS,
    Members,
    OrganizationLifecycle,
    Organizations,
    SignInSettings,
    no_check,
)
from portico.organizations.settings import OrganizationsSettings
from portico.organizations.types import OrganizationFacts
from portico.users.ports import Reauthentication
from portico.users.types import Account
from portico.web.forms import BoxesDep, Form, FormDep, missing
from portico.web.translations import mark
from portico.web.wording import NOT_VALID

METHOD = "method_"
METHOD_NAMES: Final = {
    "pwd": mark("Password"),
    "otp": mark("One-time code"),
    "email": mark("Link by e-mail"),
}
AGES: Final = (
    (0, mark("As long as the session lasts")),
    (3_600, mark("1 hour")),
    (12 * 3_600, mark("12 hours")),
    (24 * 3_600, mark("1 day")),
    (7 * 24 * 3_600, mark("7 days")),
    (30 * 24 * 3_600, mark("30 days")),
)
MOST_SHOWN = 100

router = APIRouter(
    prefix=HOME + "/{organization_id}",
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[Depends(without_idempotency)],
)


class PageTransfer(PageMember):
    """To whom the organization is handed over, by whom."""

    password: SecretStr = Field(min_length=1, max_length=4_096)


class PageDeletion(RequestModel):
    """The short name, typed, and the password."""

    confirmation: str = Field(max_length=80)
    password: SecretStr = Field(min_length=1, max_length=4_096)


class PageRules(RequestModel):
    """The fields of the rules that are no boxes for ways of signing in."""

    second_factor: str | None = None
    max_session_age: int = Field(strict=False, ge=0, le=LONGEST_SESSION)
    """In seconds; 0: any time."""

    @field_validator("max_session_age")
    @classmethod
    def _is_long_enough(cls, seconds: int) -> int:
        if 0 < seconds < SHORTEST_SESSION:
            raise ValueError(NOT_VALID)
        return seconds


class SettingsPage(OrganizationPage):
    """Name, rules, ways out."""

    template = "organizations/settings.html.jinja"
    tab = "/settings"

    async def content(self, account: Account, organization: OrganizationFacts) -> Mapping[str, Any]:
        """Return the rules, and to whom the organization could be handed over."""
        settings = await SignInSettings(self.runtime, self.runtime.unit()).get_settings(organization.id)
        members = Members(self.runtime, self.runtime.unit())
        page = await members.list_members(organization.id, MemberListQuery(page_size=MOST_SHOWN))
        age = settings.rules.max_age
        return {
            "rules": settings.rules,
            "age": int(age.total_seconds()) if age else 0,
            "ages": AGES,
            "methods": [(name, METHOD_NAMES.get(name, name)) for name in METHODS],
            "heirs": [member for member in page.data if member.user_id != account.id and member.is_active],
            "grace_days": self.runtime.section(OrganizationsSettings).deletion_grace.days,
        }


SettingsPageDep = Annotated[SettingsPage, Depends(SettingsPage)]


@router.get("/settings", dependencies=[Depends(requires(OrganizationPermission.READ))])
async def show_settings(page: SettingsPageDep) -> Response:
    """Show the settings; what the caller may not change is shown to nobody but him who may."""
    return await page.show()


@router.post("/settings", dependencies=[Depends(requires(OrganizationPermission.UPDATE))])
async def rename(page: SettingsPageDep, form: FormDep) -> Response:
    """Change name and short name."""
    try:
        sent = form.parse(UpdateOrganizationRequest).sent()
        if "name" not in sent:
            raise missing(form, "name")
        await Organizations(page.runtime, page.runtime.unit()).update_organization(
            page.organization_id, sent, check_version=no_check, actor=page.principal
        )
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path("/settings"), mark("The organization is renamed."))


@router.post("/rules", dependencies=[Depends(requires(OrganizationPermission.SETTINGS_UPDATE))])
async def change_rules(page: SettingsPageDep, form: BoxesDep) -> Response:
    """Change how one must sign in."""
    settings = SignInSettings(page.runtime, page.runtime.unit())
    try:
        known = (await settings.get_settings(page.organization_id)).rules
        sent = _rules_in(form.only("second_factor", "max_session_age", boxes=METHOD), known)
        await settings.change_settings(
            page.organization_id, sent, check_version=no_check, actor=page.principal
        )
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path("/settings"), mark("The rules of signing in are changed."))


@router.post(
    "/transfer",
    dependencies=[
        Depends(requires(OrganizationPermission.TRANSFER_OWNERSHIP)),
        Depends(limited("sign_in")),
    ],
)
async def transfer(page: SettingsPageDep, form: FormDep) -> Response:
    """Hand the organization over; the password is asked for."""
    try:
        wish = form.parse(PageTransfer)
        await page.runtime.get(Reauthentication).confirm(page.principal, wish.password.get_secret_value())
        await Members(page.runtime, page.runtime.unit()).transfer_ownership(
            page.organization_id, wish.user_id, actor=page.principal
        )
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(), mark("The organization has another owner. You stay as administrator."))


@router.post("/leave", dependencies=[Depends(requires(OrganizationPermission.LEAVE))])
async def leave(page: SettingsPageDep) -> Response:
    """Belong to the organization no longer."""
    try:
        members = Members(page.runtime, page.runtime.unit())
        await members.leave(page.organization_id, actor=page.principal)
    except LastOwner as refusal:
        return await page.refused(Form(), refusal)
    return page.done(HOME, mark("You have left the organization."))


@router.post(
    "/delete",
    dependencies=[Depends(requires(OrganizationPermission.DELETE)), Depends(limited("sign_in"))],
)
async def delete(page: SettingsPageDep, form: FormDep) -> Response:
    """Delete the organization; its short name and the password are asked for."""
    runtime = page.runtime
    try:
        wish = form.parse(PageDeletion)
        organization = await Organizations(runtime, runtime.unit()).get_organization(page.organization_id)
        if wish.confirmation.strip() != organization.slug:
            raise NotConfirmed
        await runtime.get(Reauthentication).confirm(page.principal, wish.password.get_secret_value())
        await OrganizationLifecycle(runtime, runtime.unit()).delete(organization.id, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(HOME, mark("The organization is deleted. You can still have it back."))


def _rules_in(form: Form, known: SignInRules) -> dict[str, Any]:
    """Return the rules of a form; what only the API can ask for is kept where the form says nothing else."""
    typed = form.without(boxes=METHOD).parse(PageRules)
    return {
        "min_aal": max(2, known.min_aal) if typed.second_factor else 1,
        "methods": form.checked(METHOD),
        "max_session_age": typed.max_session_age,
    }
