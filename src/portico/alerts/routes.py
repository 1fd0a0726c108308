"""The API of alerts: all of them for the platform, an organization's own, a person's own."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from portico.alerts.dependencies import AlertsDep
from portico.alerts.errors import AlertNotFound, AlertResolved
from portico.alerts.permissions import AlertPermission
from portico.alerts.schemas import (
    AlertQuery,
    AlertResponse,
    OrganizationAlertQuery,
    OwnAlertQuery,
    OwnAlertResponse,
    ResolveAlertRequest,
)
from portico.alerts.types import AlertFilter
from portico.core.ids import OrganizationId, UserId
from portico.http.access import OrganizationNotFound, requires
from portico.http.dependencies import PrincipalDep
from portico.http.errors import CursorInvalid
from portico.http.pagination import Page
from portico.http.problems import describes
from portico.sessions.dependencies import fresh_principal

admin_router = APIRouter(prefix="/admin/alerts", tags=["alerts"], dependencies=[Depends(fresh_principal)])
organization_router = APIRouter(prefix="/organizations/{organization_id}/alerts", tags=["alerts"])
own_router = APIRouter(prefix="/users/me/alerts", tags=["alerts"])


@admin_router.get(
    "",
    dependencies=[Depends(requires(AlertPermission.PLATFORM_READ))],
    responses=describes(CursorInvalid),
    summary="List alerts",
)
async def list_alerts(query: Annotated[AlertQuery, Query()], alerts: AlertsDep) -> Page[AlertResponse]:
    """Return one page of the alerts, the newest first."""
    return await alerts.list_alerts(query)


@admin_router.get(
    "/{alert_id}",
    dependencies=[Depends(requires(AlertPermission.PLATFORM_READ))],
    responses=describes(AlertNotFound),
    summary="See an alert",
)
async def get_alert(alert_id: UUID, alerts: AlertsDep) -> AlertResponse:
    """Return one alert; the entries that it names are on the trail."""
    return await alerts.get_alert(alert_id)


@admin_router.post(
    "/{alert_id}/acknowledge",
    dependencies=[Depends(requires(AlertPermission.PLATFORM_ACKNOWLEDGE))],
    responses=describes(AlertNotFound, AlertResolved),
    summary="Take an alert on",
)
async def acknowledge_alert(alert_id: UUID, principal: PrincipalDep, alerts: AlertsDep) -> AlertResponse:
    """Say that somebody is at it; what goes on is still added to it."""
    return await alerts.acknowledge(alert_id, actor=principal)


@admin_router.post(
    "/{alert_id}/resolve",
    dependencies=[Depends(requires(AlertPermission.PLATFORM_RESOLVE))],
    responses=describes(AlertNotFound),
    summary="Resolve an alert",
)
async def resolve_alert(
    alert_id: UUID, body: ResolveAlertRequest, principal: PrincipalDep, alerts: AlertsDep
) -> AlertResponse:
    """Say that it is dealt with; should it go on, it is raised anew."""
    return await alerts.resolve(alert_id, body.note, actor=principal)


@organization_router.get(
    "",
    dependencies=[Depends(requires(AlertPermission.READ))],
    responses=describes(CursorInvalid, OrganizationNotFound),
    summary="List an organization's alerts",
)
async def list_organization_alerts(
    organization_id: UUID, query: Annotated[OrganizationAlertQuery, Query()], alerts: AlertsDep
) -> Page[AlertResponse]:
    """Return one page of what was raised about the organization, the newest first."""
    return await alerts.list_of_organization(OrganizationId(organization_id), query)


@organization_router.get(
    "/{alert_id}",
    dependencies=[Depends(requires(AlertPermission.READ))],
    responses=describes(AlertNotFound, OrganizationNotFound),
    summary="See an organization's alert",
)
async def get_organization_alert(organization_id: UUID, alert_id: UUID, alerts: AlertsDep) -> AlertResponse:
    """Return one alert of the organization."""
    return await alerts.get_alert(alert_id, AlertFilter(organization_id=organization_id))


@organization_router.post(
    "/{alert_id}/acknowledge",
    dependencies=[Depends(requires(AlertPermission.HANDLE))],
    responses=describes(AlertNotFound, OrganizationNotFound, AlertResolved),
    summary="Take an organization's alert on",
)
async def acknowledge_organization_alert(
    organization_id: UUID, alert_id: UUID, principal: PrincipalDep, alerts: AlertsDep
) -> AlertResponse:
    """Say that somebody is at it; what goes on is still added to it."""
    return await alerts.acknowledge(alert_id, AlertFilter(organization_id=organization_id), actor=principal)


@organization_router.post(
    "/{alert_id}/resolve",
    dependencies=[Depends(requires(AlertPermission.HANDLE))],
    responses=describes(AlertNotFound, OrganizationNotFound),
    summary="Resolve an organization's alert",
)
async def resolve_organization_alert(
    organization_id: UUID,
    alert_id: UUID,
    body: ResolveAlertRequest,
    principal: PrincipalDep,
    alerts: AlertsDep,
) -> AlertResponse:
    """Say that it is dealt with; should it go on, it is raised anew."""
    scope = AlertFilter(organization_id=organization_id)
    return await alerts.resolve(alert_id, body.note, scope, actor=principal)


@own_router.get(
    "",
    dependencies=[Depends(requires(AlertPermission.LIST_OWN))],
    responses=describes(CursorInvalid),
    summary="List one's own alerts",
)
async def list_own_alerts(
    query: Annotated[OwnAlertQuery, Query()], principal: PrincipalDep, alerts: AlertsDep
) -> Page[OwnAlertResponse]:
    """Return one page of what was raised about the caller's account, the newest first."""
    return await alerts.list_own(UserId(principal.id), query)


@own_router.post(
    "/{alert_id}/resolve",
    dependencies=[Depends(requires(AlertPermission.RESOLVE_OWN))],
    responses=describes(AlertNotFound),
    summary="Say that it was oneself",
)
async def resolve_own_alert(alert_id: UUID, principal: PrincipalDep, alerts: AlertsDep) -> OwnAlertResponse:
    """Resolve an alert about the caller's own account."""
    return await alerts.resolve_own(alert_id, actor=principal)


routers = [admin_router, organization_router, own_router]
